/**
 * What a line of Claude Code's transcript proves. Claude Code 2.1.197 and 2.1.330 record what a hook gave the model as
 * an `attachment` of the type `hook_additional_context`, whatever the event, and what a tool answered as a
 * `tool_result` that names its call (both seen). Only these two count: what a person, a peer, a file or another tool
 * says stands elsewhere, so that a frame that somebody wrote confirms nothing. Nor does what reached a subagent.
 */
import { toFramedIds } from '#frame/framed-ids'
import { parseJson } from '#machine/files'

/** A message in the model's context, and when it came there, in ms since the epoch. */
export type Sighting = { id: number; at: number }

type Line = {
  type?: unknown
  timestamp?: unknown
  isSidechain?: unknown
  attachment?: { type?: unknown; content?: unknown }
  message?: { content?: unknown }
}
type Block = {
  type?: unknown
  id?: unknown
  name?: unknown
  tool_use_id?: unknown
  text?: unknown
  content?: unknown
}

/** Calls of `check_messages` whose results are remembered to be ours. */
const MAX_CALLS = 100

/** Makes the reader of one session's lines; `toolPrefix` is what stands before a tool's name in this installation. */
export function createSightings(toolPrefix: string): (line: string) => Sighting[] {
  const tool = `${toolPrefix}check_messages`
  const calls = new Set<string>()

  function remember({ message }: Line) {
    for (const block of toBlocks(message?.content)) {
      if (block.type !== 'tool_use' || block.name !== tool || typeof block.id !== 'string') continue
      calls.add(block.id)
      if (calls.size > MAX_CALLS) calls.delete(calls.values().next().value!)
    }
  }

  function toAnswers({ message }: Line): string[] {
    const results = toBlocks(message?.content).filter(
      (block) => block.type === 'tool_result' && calls.has(String(block.tool_use_id)),
    )
    return results.flatMap(({ content }) => toTexts(content)).flatMap(toMail)
  }

  return (text) => {
    // Most lines hold neither, and parsing is what costs.
    if (!text.includes('<peer-message id=') && !text.includes(tool)) return []
    const line = parseJson(text) as Line | null | undefined
    if (typeof line !== 'object' || line === null || line.isSidechain === true) return []
    if (line.type === 'assistant') remember(line)
    const at = typeof line.timestamp === 'string' ? Date.parse(line.timestamp) : Number.NaN
    if (Number.isNaN(at)) return []
    return toContexts(line, toAnswers)
      .flatMap(toFramedIds)
      .map((id) => ({ id, at }))
  }
}

function toContexts(line: Line, toAnswers: (line: Line) => string[]): string[] {
  if (line.type === 'user') return toAnswers(line)
  if (line.type !== 'attachment' || line.attachment?.type !== 'hook_additional_context') return []
  return toTexts(line.attachment.content)
}

/** The model is shown a tool's data, which holds the frame; a client without data would show the text. */
function toMail(answer: string): string[] {
  const data = parseJson(answer)
  if (typeof data !== 'object' || data === null) return [answer]
  const { mail } = data as { mail?: unknown }
  return typeof mail === 'string' ? [mail] : []
}

function toTexts(content: unknown): string[] {
  const parts: unknown[] = Array.isArray(content) ? content : [content]
  return parts.flatMap((part) => {
    const text = typeof part === 'object' && part !== null ? (part as Block).text : part
    return typeof text === 'string' ? [text] : []
  })
}

const toBlocks = (content: unknown): Block[] =>
  Array.isArray(content) ? content.filter((one): one is Block => typeof one === 'object' && one !== null) : []
