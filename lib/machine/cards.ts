/**
 * Session cards. The MCP server of a session leaves one for its hooks, under the pid of their common parent, the
 * Claude process, and its pid namespace: containers that share a home have equal pids. A hook then needs no look-up
 * call and always talks to the hub its session is registered with.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isDiskFull, parseJson, readIfThere, rewritePrivate } from './files.ts'
import { makePrivateDir } from './paths.ts'
import {
  canSee,
  isAlive,
  isKnownToHaveEnded,
  isKnownToRun,
  ownNamespace,
  toLabel,
  type ProcessIdentity,
} from './processes.ts'

export type Card = {
  hubUrl: string
  /** The hub's token, so that a hook needs no other file. */
  token: string
  /** The process that serves, as it proved itself, if it is one of this machine: when it ends, any program may take its port. */
  hub?: ProcessIdentity | undefined
  peerId: string
  name: string
  /** The repository root, or the directory, that it works in. */
  root?: string
  /** The mailbox key, `<peer id>.<secret>`. */
  key: string
  /** What stands before a tool's name in this installation, such as `mcp__claude-peers__`. */
  toolPrefix: string
  claude: ProcessIdentity
  /** The other agent whose client it is, as it names itself: hooks hand nothing over there. */
  agent?: string | undefined
  mcp: ProcessIdentity
  sessionIds: string[]
  /** The file in which the client records the session; hooks keep it, because they alone are told. */
  transcript?: string | undefined
  /** Those before, as of `/clear`, the oldest first, and until when they were the session's, in ms since the epoch. */
  past?: { path: string; until: number }[]
  /** When the first card of this Claude process was written, in ms since the epoch. */
  since?: number
}

/** Where a session is recorded, and where it was before. */
export type Transcripts = { current: string | undefined; past: { path: string; until: number }[] }

/** The transcripts that a card names. */
export const toTranscripts = (card: Card | undefined): Transcripts => ({
  current: card?.transcript,
  past: card?.past ?? [],
})

/** What the mail is that waits: worth a turn of its own, or only for information. */
export type WaitingMail = 'wake' | 'fyi'

/** Writes the card of a Claude process. */
export function writeCard(directory: string, card: Card): void {
  makePrivateDir(directory)
  rewritePrivate(cardPath(directory, card.claude.pid), JSON.stringify(card))
}

/** The card of a Claude process, or `undefined` when there is none that can be read. */
export const readCard = (directory: string, pid: number): Card | undefined =>
  readCardAt(cardPath(directory, pid))

function readCardAt(path: string): Card | undefined {
  try {
    const card = parseJson(readIfThere(path))
    return isCard(card) ? card : undefined
  } catch {
    // A directory in its place, or a file of somebody else: to a session the same as none.
    return undefined
  }
}

/** How often a session's MCP server touches its card, as a sign of life for those who cannot see its process. */
export const TOUCH_MS = 60_000
/** Three touches; while a card is younger, its MCP server counts as alive to those who cannot see it. */
const TOUCHED_MS = 3 * TOUCH_MS
/**
 * How long the files of a session that cannot be seen from here are kept after the last touch. Nobody may judge its
 * process, but its container may be gone for good. As long as mail waits; a machine that slept longer loses nothing, as
 * an MCP server makes its files again within 2 s.
 */
const KEPT_MS = 7 * 24 * 60 * 60_000

/** Touches the card of a session, which tells those who cannot see its process that its MCP server runs. */
export function touchCard(directory: string, pid: number, now: Date = new Date()): void {
  try {
    utimesSync(cardPath(directory, pid), now, now)
  } catch {
    // There is none: whoever looks after the card makes it again.
  }
}

/** The cards of the sessions whose MCP server runs, as far as this process can see or their touches say. */
export const listLiveCards = (directory: string): Card[] =>
  listCards(directory).filter((card) => isKnownToRun(card.mcp) || isTouched(directory, card))

/** The cards that sessions left whose Claude process has ended without a goodbye, among those that can be seen from here. */
export const listEndedCards = (directory: string): Card[] =>
  listCards(directory).filter(({ claude }) => isKnownToHaveEnded(claude))

/** All cards, also those of sessions in other pid namespaces. */
export const listCards = (directory: string): Card[] =>
  listNames(directory)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readCardAt(`${directory}${sep}${name}`) ?? [])

function isTouched(directory: string, { claude, mcp }: Card): boolean {
  if (canSee(mcp)) return false
  const path = `${directory}${sep}${toLabel(claude.pid, claude.namespace)}.json`
  return Date.now() - touchedAt(path) < TOUCHED_MS
}

/** A file of a session, with the namespace of its processes, and the writer of one that was not finished. */
const SESSION_FILE =
  /^((\d+)(?:-(\d+))?)\.(?:json|mail|spare|bell|busy|asks|waiter|cut|hub)(?:\.(\d+)(?:-\d+)?(?:\.tmp)?)?$/

/**
 * Removes what belongs to Claude processes that are gone, and what killed writers left; returns how many files. A card that
 * names a transcript stays for a week, unless its number is another process's by now: what its session had not read is still
 * to be settled. Of another pid namespace, only what has not been touched for a week goes. It works in slices: thousands of
 * sessions may have ended, and the process has others to answer meanwhile.
 */
export async function sweepCards(directory: string, now: number = Date.now()): Promise<number> {
  const found = listNames(directory).flatMap((name) => {
    const [, label, pid, namespace, writer] = SESSION_FILE.exec(name) ?? []
    return label === undefined ? [] : [{ name, label, namespace, pid: Number(pid), writer: Number(writer) }]
  })
  const isLeft = ({ label }: { label: string }) =>
    found
      .filter((other) => other.label === label)
      .every((other) => now - touchedAt(`${directory}${sep}${other.name}`) > KEPT_MS)
  const isGone = (file: (typeof found)[number]) => {
    if (file.namespace !== ownNamespace()) return isLeft(file)
    if (file.writer && !isAlive(file.writer)) return true
    const card = readCard(directory, file.pid)
    if (!isKnownToHaveEnded({ ...file, start: card?.claude.start })) return false
    return !file.name.endsWith('.json') || isAlive(file.pid) || !card?.transcript || isLeft(file)
  }
  // A card goes after the other files of its session: it holds the start time that tells a reused pid apart.
  const isCardFile = ({ name }: { name: string }) => Number(name.endsWith('.json'))
  found.sort((left, right) => isCardFile(left) - isCardFile(right))
  let count = 0
  for (const [index, file] of found.entries()) {
    if (index % SLICE === SLICE - 1) await setImmediate()
    if (!isGone(file)) continue
    // Even a directory in its place goes: it would end every session at its start.
    rmSync(join(directory, file.name), { force: true, recursive: true })
    count++
  }
  return count
}

/** Files that are looked at in one turn of the event loop: some 10 ms. */
const SLICE = 50

/** When a file was last written or touched, in ms of the epoch; 0 for none. */
const touchedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Removes the card and the doorbell of one session. Whether it is busy stays told: only its hooks know that. */
export function removeCard(directory: string, pid: number): void {
  for (const kind of ['mail', 'spare', 'cut', 'bell', 'json'] as const) {
    rmSync(sessionFile(directory, pid, kind), { force: true })
  }
}

/** Removes the doorbell of a session in which no waiter is to stand. */
export function removeBell(directory: string, pid: number): void {
  rmSync(sessionFile(directory, pid, 'bell'), { force: true })
}

/**
 * Raises the flag whose existence tells the shell gate that mail waits, and its content which; `undefined` lowers it. One
 * that was lowered is kept, as on a full disk none can be made.
 */
export function setMailFlag(directory: string, pid: number, mail: WaitingMail | undefined): void {
  const path = sessionFile(directory, pid, 'mail')
  const spare = sessionFile(directory, pid, 'spare')
  if (!mail) return lowerFlag(path, spare)
  try {
    rewritePrivate(path, mail)
  } catch (cause) {
    // Without a flag yet, writing over it in place fails, too.
    if (!existsSync(spare)) throw cause
    renameSync(spare, path)
    bestEffort(() => rewritePrivate(path, mail))
  }
}

function lowerFlag(path: string, spare: string) {
  try {
    renameSync(path, spare)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    // A directory in its place, as a hand may have left it.
    rmSync(path, { force: true })
  }
}

/** A mark must keep no mail back. */
function bestEffort(work: () => void) {
  try {
    work()
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause
  }
}

/** Which mail waits for a session, as its flag says; `undefined` for none. */
export function readMailFlag(directory: string, pid: number): WaitingMail | undefined {
  const content = readIfThere(sessionFile(directory, pid, 'mail'))
  return content === undefined ? undefined : content === 'wake' ? 'wake' : 'fyi'
}

/** Marks the session's remote hub as away, as its MCP server sees it, or as there. */
export function setCutOff(directory: string, pid: number, isCutOff: boolean): void {
  const path = sessionFile(directory, pid, 'cut')
  if (isCutOff) bestEffort(() => writeFileSync(path, '', { mode: 0o600 }))
  else rmSync(path, { force: true })
}

/** Whether the remote hub of a session is away: its MCP server says so, and lives. */
export function isCutOff(directory: string, { claude, mcp }: Card): boolean {
  return existsSync(sessionFile(directory, claude.pid, 'cut')) && isKnownToRun(mcp)
}

/** Marks a session as busy with a turn, anew for each, or as idle; `held` is how often its end was held in a row. */
export function setBusy(directory: string, pid: number, busy: boolean, held = 0): void {
  const path = sessionFile(directory, pid, 'busy')
  if (busy) bestEffort(() => writeFileSync(path, held ? String(held) : '', { mode: 0o600 }))
  else rmSync(path, { force: true })
}

/** How often in a row the end of the turn that runs was held, as its mark says. */
export function readHeld(directory: string, pid: number): number {
  return Number(readIfThere(sessionFile(directory, pid, 'busy'))) || 0
}

/** Since when a session is busy with a turn, in ms of the epoch; `undefined` when it is idle. */
export function busySince(directory: string, pid: number): number | undefined {
  return writtenAt(directory, pid, 'busy')
}

/** When a file of a session was written, in ms of the epoch; `undefined` when there is none. */
export function writtenAt(
  directory: string,
  pid: number,
  kind: 'busy' | 'asks' | 'mail',
): number | undefined {
  return statSync(sessionFile(directory, pid, kind), { throwIfNoEntry: false })?.mtimeMs
}

/**
 * Marks a session as busy whose MCP server has not made its card yet: a headless client does not wait for it before the
 * first prompt. The mark names the start of its client, so that the server can tell it from an older one, and the transcript,
 * without which nobody would see that the turn has ended without a Stop.
 */
export function setBusyEarly(
  directory: string,
  { pid, start }: { pid: number; start: string },
  transcript: string | undefined,
): void {
  makePrivateDir(directory)
  const mark = `0 ${start}\n${transcript ?? ''}`
  bestEffort(() => writeFileSync(sessionFile(directory, pid, 'busy'), mark, { mode: 0o600 }))
}

/** What a prompt left that came before the card of this client; `undefined` for none. */
export function readEarly(
  directory: string,
  { pid, start }: Card['claude'],
): { transcript: string | undefined } | undefined {
  const [mark, ...transcript] = (readIfThere(sessionFile(directory, pid, 'busy')) ?? '').split('\n')
  if (start === undefined || mark !== `0 ${start}`) return undefined
  return { transcript: transcript.join('\n') || undefined }
}

/**
 * The path of one file of a session: its card, the flag of waiting mail, the FIFO that wakes it, the mark of a turn
 * that runs, the mark that a dialog waits for its user, the pid of the shell that waits at the FIFO, the mark that the
 * remote hub is away, the local hub that it stays with. The pid is one that this process sees.
 */
export function sessionFile(
  directory: string,
  pid: number,
  kind: 'json' | 'mail' | 'spare' | 'bell' | 'busy' | 'asks' | 'waiter' | 'cut' | 'hub',
): string {
  // Not by `join`, which looks at every character of the path: a hook does this ten times.
  return `${directory}${sep}${toLabel(pid)}.${kind}`
}

const cardPath = (directory: string, pid: number) => sessionFile(directory, pid, 'json')

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** A card is kept whole or not at all; one that a hand or a disk has spoilt is written anew by its session. */
function isCard(value: unknown): value is Card {
  if (!isRecord(value)) return false
  const card: Partial<Record<keyof Card, unknown>> = value
  const texts = [card.hubUrl, card.token, card.peerId, card.name, card.key, card.toolPrefix]
  return (
    [...texts, card.transcript ?? ''].every((text) => typeof text === 'string') &&
    [card.claude, card.mcp, card.hub ?? card.mcp].every(isProcess) &&
    Array.isArray(card.sessionIds) &&
    card.sessionIds.every((id) => typeof id === 'string') &&
    (card.past === undefined || (Array.isArray(card.past) && card.past.every(isPast)))
  )
}

const isPast = (value: unknown) => isRecord(value) && typeof value['path'] === 'string'

const isProcess = (value: unknown) =>
  isRecord(value) &&
  Number.isSafeInteger(value['pid']) &&
  [value['start'], value['namespace']].every((text) => text === undefined || typeof text === 'string')

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
