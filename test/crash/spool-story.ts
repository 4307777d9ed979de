/** A session that is cut off from the hub of another machine, and keeps what it sends, while one of them is killed. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openProxy } from '../harness/proxy.ts'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { createLedger, toText, type Ledger } from './ledger.ts'
import type { Office } from './office.ts'
import { shimMcp } from './session-story.ts'
import { readNote } from './shim.ts'
import { drain, superviseHub, toEnding, type Ending } from './stories.ts'

/** Three messages are kept while the way is cut, and sent when it is mended; the hub or the MCP server is killed once. */
export async function tellSpool(
  office: Office,
  { hub: hubRule, mcp: mcpRule }: { hub?: string; mcp?: string },
): Promise<Ending> {
  const ledger = createLedger()
  await using hub = await superviseHub(office, hubRule)
  const read = await office.seatHooks(await office.takeSeat('web'))
  await using way = await openProxy(office.url)
  await using session = await startRemoteSession(office, way.url)
  const seat = session.card()!.peerId
  await session.killMcp()
  const { wrapper, note } =
    mcpRule === undefined ? { wrapper: [], note: undefined } : shimMcp(office, mcpRule)
  await session.startMcp(0, { wrapper })
  await waitFor(() => session.card(), 'the card')
  await way.cut()
  await sayUntilKilled(session, ledger, [1, 2, 3])
  const kept = countKept(office)
  await way.mend()
  const killedAt = () => (note === undefined ? hub.killedAt() : readNote(note))
  await waitFor(killedAt, 'the shim to kill one of them', 60_000)
  if (note !== undefined) await session.startMcp(0)
  await waitFor(() => countKept(office) === 0, 'the spool to be empty', 60_000)
  await sayUntilKilled(session, ledger, [4])
  await drain(office, ledger, async () => (await read()).context)
  const isSame = session.card()?.peerId === seat
  await hub.end()
  return toEnding(ledger, {
    killedAt: killedAt(),
    integrity: [...hub.integrity, ...(isSame ? [] : ['ANOTHER SEAT'])],
    outcome: `${kept} were kept; `,
  })
}

/** A session of this home to which the hub at the URL is one of another machine. */
export async function startRemoteSession(office: Office, url: string): Promise<Session> {
  const cwd = await office.home.project('session', { git: true })
  const env = {
    CLAUDE_PEERS_BROKER_URL: url,
    CLAUDE_PEERS_TOKEN: await office.home.token(),
    CLAUDE_PEERS_PORT: '1',
  }
  return startSession(office.home, { cwd, env })
}

/** How many messages wait on this computer. */
export function countKept({ home }: Office): number {
  try {
    const names = readdirSync(join(home.path, '.claude-peers/spool'))
    return names.filter((name) => name.endsWith('.json')).length
  } catch {
    return 0
  }
}

/** Notes what a session was told of what it has sent. */
export function noteSent(ledger: Ledger, text: string, sent: Awaited<ReturnType<Session['tool']>>) {
  if (sent.isError) return
  const { message_id: id } = sent.data
  if (typeof id === 'number') ledger.answer(text, id)
  else ledger.keep(text)
}

async function sayUntilKilled(session: Session, ledger: Ledger, numbers: number[]): Promise<void> {
  try {
    for (const number of numbers) {
      const message = toText('session', 'web', number)
      noteSent(ledger, message, await session.tool('send_message', { to: 'web', message }))
    }
  } catch (cause) {
    if (!/the MCP server ended/.test((cause as Error).message)) throw cause
  }
}
