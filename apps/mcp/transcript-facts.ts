/**
 * What the lines of one Claude Code transcript prove about mail. The client writes what a hook gave it before it asks its
 * model, and may never ask. So a message is `read` only by an answer of the model behind it, and it is `dropped` when the
 * conversation goes on without it: the person took the prompt back (Esc before the first word of an answer does that),
 * or a compaction came first. All seen in 2.1.197 and 2.1.332; test/e2e/claude has the real clients do each of it.
 */
import { partsOf, toEntry, type Entry } from '#machine/transcript-end'
import { createSightings } from './transcript-sightings.ts'

/** Times are milliseconds since the epoch, by the clock of the client. */
export type Fact =
  /** The message stood in the transcript since `at`; a later fact says what became of it there. */
  | { kind: 'shown' | 'read' | 'dropped'; id: number; at: number }
  /**
   * What a hook gave before `at` and is not shown by now was thrown away; `unseen`: by a prompt that another hook blocked
   * while no tool was at work, so that no request can have held it.
   */
  | { kind: 'passed'; at: number; unseen: boolean }

export type FactReader = {
  /** What the next line proves, together with those before. */
  read(line: string): Fact[]
  /** When the first and the last entry were written that it was given. */
  span(): { first: number; last: number } | undefined
  /** Lines are missing here: what stands before is not known any more. */
  skip(): void
}

type Shown = {
  id: number
  at: number
  /** The answer that was being written: its later parts may follow the mail, which it could not see. */
  during: string | undefined
  /** The entries from the mail on; a prompt that hangs on any other takes the mail out of the conversation. */
  since: Set<string>
}

/** Makes the reader of one file; `toolPrefix` is what stands before a tool's name in this installation. */
export function createFacts(toolPrefix: string): FactReader {
  const toSightings = createSightings(toolPrefix)
  let shown: Shown[] = []
  let span: { first: number; last: number } | undefined
  let answer: string | undefined
  let isToolAtWork = false
  /** The newest prompt, until an answer shows that its hooks are done. */
  let promptedAt: number | undefined

  function drop(isDropped: (mail: Shown) => boolean): Fact[] {
    const dropped = shown.filter(isDropped)
    shown = shown.filter((mail) => !isDropped(mail))
    return dropped.map(({ id, at }) => ({ kind: 'dropped', id, at }))
  }

  function readAnswer({ message, ...entry }: Entry): Fact[] {
    if (entry.isApiErrorMessage || message?.model === '<synthetic>') return []
    const id = message?.id
    answer = id
    isToolAtWork = partsOf({ message }).some(({ type }) => type === 'tool_use')
    const read = shown.filter(({ during }) => during === undefined || during !== id)
    shown = shown.filter((mail) => !read.includes(mail))
    const passed: Fact[] = promptedAt === undefined ? [] : [{ kind: 'passed', at: promptedAt, unseen: false }]
    promptedAt = undefined
    return [...read.map(({ id, at }) => ({ kind: 'read' as const, id, at })), ...passed]
  }

  function readWords(entry: Entry, at: number): Fact[] {
    const parts = partsOf(entry)
    if (parts.some(({ type }) => type === 'tool_result')) return []
    if (parts.some(({ text }) => text?.startsWith('[Request interrupted by user'))) {
      isToolAtWork = false
      return [{ kind: 'passed', at, unseen: false }]
    }
    if (entry.isMeta || entry.isCompactSummary) return []
    isToolAtWork = false
    promptedAt = at
    const { parentUuid } = entry
    // Recordings of no client are without parents; null is the beginning of the conversation.
    if (parentUuid === undefined) return []
    return drop(({ since }) => parentUuid === null || !since.has(parentUuid))
  }

  function readNotice({ subtype, content }: Entry, at: number): Fact[] {
    if (subtype === 'compact_boundary') return drop(() => true)
    if (subtype === 'turn_duration') {
      isToolAtWork = false
      return [{ kind: 'passed', at, unseen: false }]
    }
    const isBlocked = typeof content === 'string' && content.startsWith(BLOCKED)
    return isBlocked ? [{ kind: 'passed', at, unseen: !isToolAtWork }] : []
  }

  function readEntry(entry: Entry, at: number): Fact[] {
    if (entry.isSidechain) return []
    if (entry.type === 'assistant') return readAnswer(entry)
    if (entry.type === 'user') return readWords(entry, at)
    return entry.type === 'system' ? readNotice(entry, at) : []
  }

  return {
    read(line) {
      const entry = toEntry(line)
      if (!entry) return []
      const at = toTime(entry)
      if (at === undefined) return []
      span = { first: span?.first ?? at, last: at }
      const facts = readEntry(entry, at)
      for (const { since } of shown) if (typeof entry.uuid === 'string') since.add(entry.uuid)
      const sighted = toSightings(line, entry)
      if (sighted.length > 0) {
        const since = new Set(typeof entry.uuid === 'string' ? [entry.uuid] : [])
        shown = shown.filter((mail) => !sighted.some(({ id }) => id === mail.id))
        shown.push(...sighted.map((one) => ({ ...one, during: answer, since })))
      }
      return [...facts, ...sighted.map((one) => ({ kind: 'shown' as const, ...one }))]
    },
    span: () => span,
    skip() {
      span = undefined
      answer = undefined
    },
  }
}

const BLOCKED = 'UserPromptSubmit operation blocked by hook'

function toTime({ timestamp }: Entry): number | undefined {
  const at = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}
