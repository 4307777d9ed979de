/**
 * Which mail a line of Claude Code's transcript shows. Claude Code 2.1.197 and 2.1.330 record what a hook gave the model as
 * an `attachment` of the type `hook_additional_context`, whatever the event, and what a tool answered as a
 * `tool_result` that names its call (both seen). Only these two count: what a person, a peer, a file or another tool
 * says stands elsewhere, so that a frame that somebody wrote confirms nothing. Nor does what reached a subagent.
 */
import { toFramedIds } from '#frame/framed-ids'
import { parseJson } from '#machine/files'
import { partsOf, type Entry } from '#machine/transcript-end'

/** A message in the model's context, and when it came there, in ms since the epoch. */
export type Sighting = { id: number; at: number }

/** Calls of `check_messages` whose results are remembered to be ours. */
const MAX_CALLS = 100

/** Makes the reader of one session's lines; `toolPrefix` is what stands before a tool's name in this installation. */
export function createSightings(toolPrefix: string): (text: string, entry: Entry) => Sighting[] {
  const tool = `${toolPrefix}check_messages`
  const calls = new Set<string>()

  function remember(entry: Entry) {
    for (const { type, name, id } of partsOf(entry)) {
      if (type !== 'tool_use' || name !== tool || typeof id !== 'string') continue
      calls.add(id)
      if (calls.size > MAX_CALLS) calls.delete(calls.values().next().value!)
    }
  }

  function toAnswers(entry: Entry): string[] {
    const results = partsOf(entry).filter(
      ({ type, tool_use_id }) => type === 'tool_result' && calls.has(String(tool_use_id)),
    )
    return results.flatMap(({ content }) => toTexts(content)).flatMap(toMail)
  }

  return (text, entry) => {
    // Most lines hold neither.
    if (!text.includes('<peer-message id=') && !text.includes(tool)) return []
    if (entry.isSidechain === true) return []
    if (entry.type === 'assistant') remember(entry)
    const at = typeof entry.timestamp === 'string' ? Date.parse(entry.timestamp) : Number.NaN
    if (Number.isNaN(at)) return []
    return toContexts(entry, toAnswers)
      .flatMap(toFramedIds)
      .map((id) => ({ id, at }))
  }
}

function toContexts(entry: Entry, toAnswers: (entry: Entry) => string[]): string[] {
  if (entry.type === 'user') return toAnswers(entry)
  if (entry.type !== 'attachment' || entry.attachment?.type !== 'hook_additional_context') return []
  return toTexts(entry.attachment.content)
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
    const text = typeof part === 'object' && part !== null ? (part as { text?: unknown }).text : part
    return typeof text === 'string' ? [text] : []
  })
}
