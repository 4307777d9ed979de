/**
 * Session cards. The MCP server of a session leaves one for its hooks, under the pid of their common parent, the
 * Claude process: a hook then needs no look-up call and always talks to the hub its session is registered with.
 */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseJson, readIfThere, writePrivate } from './files.ts'
import { makePrivateDir } from './paths.ts'
import { isSameProcess } from './processes.ts'

export type Card = {
  hubUrl: string
  /** The hub's token, so that a hook needs no other file. */
  token: string
  /** The process that has the port, where it is one of this machine: when it ends, anybody's program may take it. */
  hub?: { pid: number; start: string | undefined } | undefined
  peerId: string
  name: string
  /** The mailbox key, `<peer id>.<secret>`. */
  key: string
  /** What stands before a tool's name in this installation, such as `mcp__claude-peers__`. */
  toolPrefix: string
  claude: { pid: number; start: string | undefined }
  mcp: { pid: number; start: string | undefined }
  sessionIds: string[]
  /** The file in which the client records the session; hooks keep it, because they alone are told. */
  transcript?: string | undefined
}

/** Writes the card of a Claude process. */
export function writeCard(directory: string, card: Card): void {
  makePrivateDir(directory)
  writePrivate(cardPath(directory, card.claude.pid), JSON.stringify(card))
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

/** Removes what belongs to Claude processes that are gone; returns how many. */
export function sweepCards(directory: string): number {
  const gone = listNames(directory).filter((name) => {
    const pid = Number(/^(\d+)\.(?:json|mail|bell)(?:\.\d+\.tmp)?$/.exec(name)?.[1])
    return pid > 0 && !isSameProcess(pid, readCard(directory, pid)?.claude.start)
  })
  // The card goes last: it holds the start time that tells a reused pid apart.
  gone.sort((left, right) => Number(left.endsWith('.json')) - Number(right.endsWith('.json')))
  for (const name of gone) rmSync(join(directory, name), { force: true })
  return gone.length
}

/** Removes the card and the doorbell of one session. */
export function removeCard(directory: string, pid: number): void {
  for (const path of [mailFlagPath(directory, pid), cardPath(directory, pid)]) rmSync(path, { force: true })
}

/** Raises or lowers the flag whose existence tells the shell gate that mail waits. */
export function setMailFlag(directory: string, pid: number, up: boolean): void {
  const path = mailFlagPath(directory, pid)
  if (up) writeFileSync(path, '', { mode: 0o600 })
  else rmSync(path, { force: true })
}

const cardPath = (directory: string, pid: number) => join(directory, `${pid}.json`)
const mailFlagPath = (directory: string, pid: number) => join(directory, `${pid}.mail`)

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function isCard(value: unknown): value is Card {
  if (typeof value !== 'object' || value === null) return false
  const card = value as Partial<Record<keyof Card, unknown>>
  const texts = [card.hubUrl, card.token, card.peerId, card.name, card.key, card.toolPrefix]
  return (
    texts.every((text) => typeof text === 'string') &&
    [card.claude, card.mcp].every((one) => typeof one === 'object' && one !== null) &&
    Array.isArray(card.sessionIds)
  )
}
