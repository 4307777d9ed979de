/** A session whose waiter is killed: mail must still come with the next prompt, and the next waiter must wake. */
import { kill } from '../e2e/claude/processes.ts'
import { startSession } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'
import { createLedger } from './ledger.ts'
import type { Office } from './office.ts'
import { readNote } from './shim.ts'
import { drain, send, superviseHub, toEnding, type Ending } from './stories.ts'

/** The waiter is killed at the rule's step or, without one, while it waits. */
export async function tellWaiter(office: Office, rule: string | undefined): Promise<Ending> {
  const ledger = createLedger()
  await using hub = await superviseHub(office)
  const web = await office.takeSeat('web')
  const cwd = await office.home.project('api', { git: true })
  await using api = await startSession(office.home, { cwd })
  const say = (number: number) => send(ledger, web, { from: 'web', to: 'api', number })
  const { env, note } = office.shim({ program: 'waiter.sh', rule })
  const isKilled = () => readNote(note) !== undefined

  await api.hook('Stop')
  const first = api.waiter('Stop', rule === undefined ? {} : env)
  await waitFor(() => api.waiterPid() !== undefined || isKilled(), 'the waiter to wait')
  if (rule === undefined) kill(api.waiterPid()!)
  await say(1)
  if (rule !== undefined) await waitFor(isKilled, 'the shim to kill the waiter')
  const [end] = await first
  await api.mailWaits()
  ledger.show(await api.deliver('UserPromptSubmit'))

  await api.mailTaken()
  await api.hook('Stop')
  const second = api.waiter()
  await say(2)
  const woken = (await second).map(({ code }) => code)
  await drain(office, ledger, () => api.deliver('UserPromptSubmit'))
  await hub.end()
  return toEnding(ledger, {
    killedAt: rule === undefined ? 'kill -9' : readNote(note),
    integrity: [...hub.integrity, ...(woken.includes(2) ? [] : ['the next waiter woke nobody'])],
    outcome: `it ended with ${end!.code ?? 'a kill'}; the next prompt had the mail, and the next waiter woke; `,
  })
}
