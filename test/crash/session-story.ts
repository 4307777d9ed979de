/** A whole session, client stand-in, MCP server and hooks, whose MCP server is killed. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { createLedger, toText, type Ledger } from './ledger.ts'
import type { Office } from './office.ts'
import { readNote } from './shim.ts'
import { drain, send, superviseHub, toEnding, type Ending } from './stories.ts'

/** Words that start an MCP server under the shim, which works in it or in what it leaves, and the note of the kill. */
export function shimMcp(
  office: Office,
  rule: string,
  program: 'mcp.js' | 'settle' = 'mcp.js',
): { wrapper: string[]; note: string } {
  const { env, note } = office.shim({ program, rule })
  return {
    wrapper: ['/usr/bin/env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    note,
  }
}

/** Mail waits while a session's MCP server is killed, at the rule's step or, without one, while it waits. */
export async function tellSession(office: Office, rule: string | undefined): Promise<Ending> {
  const ledger = createLedger()
  await using hub = await superviseHub(office)
  const web = await office.takeSeat('web')
  const cwd = await office.home.project('api', { git: true })
  await using api = await startSession(office.home, { cwd })
  const seat = api.card()!.peerId
  const say = (number: number) => send(ledger, web, { from: 'web', to: 'api', number })
  await api.killMcp()
  await say(1)

  const { wrapper, note } = rule === undefined ? { wrapper: [], note: undefined } : shimMcp(office, rule)
  const isKilled = () => note !== undefined && readNote(note) !== undefined
  await work(api, ledger, { wrapper, isKilled })
  if (note === undefined) await api.killMcp()
  else await waitFor(isKilled, 'the shim to kill the MCP server')
  await say(2)

  await api.startMcp(0)
  await waitFor(() => api.card(), 'the card')
  await say(3)
  // The gate of a tool call passes only where the flag is up.
  office.clock.advance(60_000)
  await api.mailWaits()
  ledger.show(await api.deliver('PostToolUse'))
  await drain(office, ledger, () => api.deliver('UserPromptSubmit'))
  await api.mailTaken()
  await hub.end()
  const sessions = readdirSync(join(office.home.path, '.claude-peers/sessions'))
  const left = sessions.filter((name) => name.endsWith('.tmp')).length
  const kept = api.card()?.peerId === seat ? 'same seat; ' : 'ANOTHER SEAT; '
  return toEnding(ledger, {
    killedAt: note === undefined ? 'kill -9' : readNote(note),
    integrity: [...hub.integrity, ...(kept.startsWith('same') ? [] : [kept])],
    outcome: kept + (left > 0 ? `${left} unfinished card beside; ` : ''),
  })
}

/** Starts the server, waits until it announces the mail, and calls its tools, as far as it lives. */
async function work(
  api: Session,
  ledger: Ledger,
  { wrapper, isKilled }: { wrapper: string[]; isKilled: () => boolean },
): Promise<void> {
  try {
    await api.startMcp(0, { wrapper })
    await waitFor(() => api.hasMailFlag() || isKilled(), 'the flag')
    const taken = await api.tool('check_messages')
    ledger.show(taken.text)
    await api.tool('send_message', { to: 'web', message: toText('api', 'web', 1) })
  } catch (cause) {
    if (!/the MCP server ended/.test((cause as Error).message)) throw cause
  }
}
