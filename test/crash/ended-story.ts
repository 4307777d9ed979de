/** A client that is killed between our acknowledgement and its next request, and the process that settles its mail. */
import { join } from 'node:path'
import { listEndedCards } from '../../lib/machine/cards.ts'
import { isAlive } from '../e2e/claude/processes.ts'
import { startSession, type Session } from '../harness/session.ts'
import { openTranscript } from '../harness/transcript.ts'
import { waitFor } from '../harness/wait.ts'
import { createLedger } from './ledger.ts'
import type { Office } from './office.ts'
import { shimMcp } from './session-story.ts'
import { readNote } from './shim.ts'
import { drain, send, superviseHub, toEnding, type Ending } from './stories.ts'

/** Who settles what the client had not read, and the step at which it is killed; without one it lives. */
export type EndedRule = {
  settler: 'its server' | 'the process that its server left' | 'the next server'
  rule: string | undefined
}

/** Kills a client whose model has read one message and was given another that no request holds. */
export async function tellEnded(office: Office, { settler, rule }: EndedRule): Promise<Ending> {
  const ledger = createLedger()
  await using hub = await superviseHub(office)
  const web = await office.takeSeat('web')
  const cwd = await office.home.project('api', { git: true })
  const program = settler === 'the process that its server left' ? 'settle' : 'mcp.js'
  const { wrapper, note } = rule === undefined ? { wrapper: [], note: '' } : shimMcp(office, rule, program)
  const isNext = settler === 'the next server'
  await using api = await startSession(office.home, { cwd, wrapper: isNext ? [] : wrapper })
  // Its server settles what others have left before it registers.
  await using other =
    isNext && rule !== undefined
      ? await startSession(office.home, { cwd: await office.home.project('elsewhere', { git: true }) })
      : null
  const seat = api.card()!.peerId
  const say = (number: number) => send(ledger, web, { from: 'web', to: 'api', number })
  const transcript = openTranscript(join(office.home.path, 'transcript.jsonl'))
  transcript.say('hello')
  const take = async () => {
    await api.mailWaits()
    return api.deliver('PostToolUse', { transcript_path: transcript.path })
  }

  await say(1)
  const read = await take()
  ledger.show(read)
  await api.mailTaken()
  await say(2)
  const unread = await take()
  const server = await api.mcpPid()
  // The client writes its last lines late, so that a server that ends before it has not seen them.
  if (program === 'settle') await api.stopMcp()
  if (isNext) await api.killMcp()
  transcript.inject(read)
  transcript.reply()
  transcript.inject(unread)
  await api.kill('SIGKILL')

  if (other) await startAndDie(other, wrapper)
  if (rule !== undefined) await waitFor(() => readNote(note), 'the shim to kill it', 20_000)
  await waitFor(() => !isAlive(server), 'the server to end')
  await say(3)
  await using next = await startSession(office.home, { cwd })
  await drain(office, ledger, () => next.deliver('UserPromptSubmit'))
  const faults = findFaults(next, { seat, sessions: join(office.home.path, '.claude-peers/sessions') })
  await hub.end()
  return toEnding(ledger, {
    killedAt: rule === undefined ? 'kill -9' : readNote(note),
    integrity: [...hub.integrity, ...faults],
    outcome: 'the next session had the same seat and what was not read; ',
  })
}

async function startAndDie(session: Session, wrapper: string[]): Promise<void> {
  await session.killMcp()
  await session.startMcp(0, { wrapper }).catch((cause: Error) => {
    if (!/the MCP server ended/.test(cause.message)) throw cause
  })
}

function findFaults(next: Session, { seat, sessions }: { seat: string; sessions: string }): string[] {
  const left = listEndedCards(sessions).length
  return [
    ...(next.card()!.peerId === seat ? [] : ['the next session has another seat']),
    ...(left === 0 ? [] : [`${left} ended sessions are not settled`]),
  ]
}
