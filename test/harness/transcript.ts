import { appendFileSync } from 'node:fs'

type Entry = Record<string, unknown>

/** A session's transcript as Claude Code writes it; see the fixtures of test/mcp for the real thing. */
export type Transcript = {
  path: string
  append(text: string): void
  /** What a hook gave the model. */
  inject(text: string, options?: { event?: string; at?: number; more?: Entry }): void
  /** A tool call and its answer. */
  answer(tool: string, content: unknown, options?: { at?: number; more?: Entry }): void
  /** What the person said; with `more`, as by a prompt that hangs on another entry. */
  say(text: string, more?: Entry): void
  /** What the model said of its own; `more` may make it an error of the API, or an answer that goes on. */
  reply(text?: string, more?: Entry): void
  /** What the client notes, such as the end of a turn (`turn_duration`). */
  note(subtype: string, content?: string): void
}

/** A transcript at a path; there is no file before the first line. `now` is the client's clock. */
export function openTranscript(path: string, now: () => number = Date.now): Transcript {
  let calls = 0
  const append = (text: string) => appendFileSync(path, text)
  const write = (entry: Entry, at = now()) =>
    append(
      `${JSON.stringify({ isSidechain: false, ...entry, timestamp: new Date(at).toISOString(), sessionId: 's' })}\n`,
    )
  return {
    path,
    append,
    inject: (text, { event = 'PostToolUse', at, more = {} } = {}) =>
      write(
        {
          type: 'attachment',
          attachment: {
            type: 'hook_additional_context',
            content: [text],
            hookName: event,
            hookEvent: event,
          },
          ...more,
        },
        at,
      ),
    answer(tool, content, { at, more = {} } = {}) {
      const id = `toolu_${++calls}`
      const call = { type: 'tool_use', id, name: tool, input: {} }
      write(
        { type: 'assistant', message: { role: 'assistant', id: `msg_${calls}`, content: [call] }, ...more },
        at,
      )
      const result = { tool_use_id: id, type: 'tool_result', content }
      write({ type: 'user', message: { role: 'user', content: [result] }, ...more }, at)
    },
    say: (text, more = {}) => write({ type: 'user', message: { role: 'user', content: text }, ...more }),
    reply: (text = 'done', more = {}) =>
      write({
        type: 'assistant',
        message: {
          role: 'assistant',
          id: `msg_${++calls}`,
          model: 'claude-opus-5-5',
          content: [{ type: 'text', text }],
        },
        ...more,
      }),
    note: (subtype, content) => write({ type: 'system', subtype, content }),
  }
}
