import type { ToolUse } from './script.ts'

/** The server-sent events of one streamed answer of the Messages API, complete. */
export function toEventStream(options: { model: string; id: string; content: (string | ToolUse)[] }): string {
  const { model, id, content } = options
  const usage = {
    input_tokens: 10,
    output_tokens: 1,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  }
  const message = {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  }
  const stopReason = content.some((part) => typeof part !== 'string') ? 'tool_use' : 'end_turn'
  const events: Event[] = [
    { type: 'message_start', message },
    ...content.flatMap((part, index) => toBlockEvents(part, index, id)),
    {
      type: 'message_delta',
      delta: { stop_reason: stopReason, stop_sequence: null },
      usage: { output_tokens: 10 },
    },
    { type: 'message_stop' },
  ]
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
}

type Event = { type: string; [field: string]: unknown }

function toBlockEvents(part: string | ToolUse, index: number, messageId: string): Event[] {
  const [start, delta] =
    typeof part === 'string'
      ? [
          { type: 'text', text: '' },
          { type: 'text_delta', text: part },
        ]
      : [
          { type: 'tool_use', id: part.id ?? `toolu_${messageId}_${index}`, name: part.name, input: {} },
          { type: 'input_json_delta', partial_json: JSON.stringify(part.input) },
        ]
  return [
    { type: 'content_block_start', index, content_block: start },
    { type: 'content_block_delta', index, delta },
    { type: 'content_block_stop', index },
  ]
}
