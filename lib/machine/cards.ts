/**
 * Session cards. The MCP server of a session leaves one for its hooks, under the pid of their common parent, the
 * Claude process: a hook then needs no look-up call and always talks to the hub its session is registered with.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { isDiskFull, parseJson, readIfThere, rewritePrivate } from './files.ts'
import { makePrivateDir } from './paths.ts'
import { isAlive, isSameProcess, type ProcessIdentity } from './processes.ts'

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
}

/** What the mail is that waits: worth a turn of its own, or only for information. */
export type WaitingMail = 'wake' | 'fyi'

/** Writes the card of a Claude process. */
export function writeCard(directory: string, card: Card): void {
  makePrivateDir(directory)
  rewritePrivate(cardPath(directory, card.claude.pid), JSON.stringify(card))
}

/** The card of a Claude process, or `undefined` when there is none that can be read. */
export function readCard(directory: string, pid: number): Card | undefined {
  try {
    const card = parseJson(readIfThere(cardPath(directory, pid)))
    return isCard(card) ? card : undefined
  } catch {
    // A directory in its place, or a file of somebody else: to a session the same as none.
    return undefined
  }
}

/** The cards of the sessions whose MCP server runs. */
export const listLiveCards = (directory: string): Card[] =>
  listCards(directory).filter(({ mcp }) => isSameProcess(mcp.pid, mcp.start))

/** The cards that sessions left whose Claude process has ended without a goodbye. */
export const listEndedCards = (directory: string): Card[] =>
  listCards(directory).filter(({ claude }) => !isSameProcess(claude.pid, claude.start))

const listCards = (directory: string): Card[] =>
  listNames(directory)
    .flatMap((name) => (name.endsWith('.json') ? [Number(name.slice(0, -'.json'.length))] : []))
    .flatMap((pid) => readCard(directory, pid) ?? [])

/** A file of a session, and the writer of one that was not finished. */
const SESSION_FILE = /^(\d+)\.(?:json|mail|spare|bell|busy|asks|waiter|cut|hub)(?:\.(\d+)(?:\.tmp)?)?$/

/** Removes what belongs to Claude processes that are gone, and what killed writers left; returns how many files. */
export function sweepCards(directory: string): number {
  const gone = listNames(directory).filter((name) => {
    const [pid, writer] = (SESSION_FILE.exec(name) ?? []).slice(1).map(Number)
    if (!pid) return false
    return (writer && !isAlive(writer)) || !isSameProcess(pid, readCard(directory, pid)?.claude.start)
  })
  // The card goes last: it holds the start time that tells a reused pid apart.
  gone.sort((left, right) => Number(left.endsWith('.json')) - Number(right.endsWith('.json')))
  // Also what is no file: it would end every session at its start.
  for (const name of gone) rmSync(join(directory, name), { force: true, recursive: true })
  return gone.length
}

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
  return existsSync(sessionFile(directory, claude.pid, 'cut')) && isSameProcess(mcp.pid, mcp.start)
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
 * first prompt. The mark names the start of its client, so that the server can tell it from an older one.
 */
export function setBusyEarly(directory: string, { pid, start }: { pid: number; start: string }): void {
  makePrivateDir(directory)
  bestEffort(() => writeFileSync(sessionFile(directory, pid, 'busy'), `0 ${start}`, { mode: 0o600 }))
}

/** Whether the mark of a turn names this client. */
export function isBusyEarly(directory: string, { pid, start }: Card['claude']): boolean {
  return start !== undefined && readIfThere(sessionFile(directory, pid, 'busy')) === `0 ${start}`
}

/**
 * The path of one file of a session: its card, the flag of waiting mail, the FIFO that wakes it, the mark of a turn
 * that runs, the mark that a dialog waits for its user, the pid of the shell that waits at the FIFO, the mark that the remote hub is away, the local hub that it
 * stays with.
 */
export function sessionFile(
  directory: string,
  pid: number,
  kind: 'json' | 'mail' | 'spare' | 'bell' | 'busy' | 'asks' | 'waiter' | 'cut' | 'hub',
): string {
  // Not by `join`, which looks at every character of the path: a hook does this ten times.
  return `${directory}${sep}${pid}.${kind}`
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
    card.sessionIds.every((id) => typeof id === 'string')
  )
}

const isProcess = (value: unknown) =>
  isRecord(value) &&
  Number.isSafeInteger(value['pid']) &&
  (value['start'] === undefined || typeof value['start'] === 'string')

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
