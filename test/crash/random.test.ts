import { expect, inject, test } from 'vitest'
import { waitFor } from '../harness/wait.ts'
import { createChance } from './chance.ts'
import { createLedger } from './ledger.ts'
import { createTally, killHooks, killHubs, killServers, sendOn, type Killed } from './load.ts'
import { openOffice } from './office.ts'
import { report } from './report.ts'
import { countKept, startRemoteSession } from './spool-story.ts'
import { drain } from './stories.ts'

const KILLS = { all: 1_050, least: { hub: 80, hook: 600, 'MCP server': 30 } }

const names = (kind: string) => [1, 2, 3, 4].map((number) => `${kind}-${number}`)

test('over a thousand random kills under load lose no acknowledged message, and repeat none unmarked', async ({
  signal,
}) => {
  const run = inject('crash')
  const chance = createChance(run.seed)
  await using office = await openOffice()
  const first = await office.serve()
  const take = (name: string) => office.takeSeat(name)
  const senders = await Promise.all(names('sender').map(take))
  const hooks = await Promise.all(names('reader').map(async (name) => office.seatHooks(await take(name))))
  // A server that starts a hub itself would start one that nobody kills.
  await using session = await startRemoteSession(office, office.url)
  first.kill('SIGKILL')
  await first.exited

  const ledger = createLedger()
  const failed = new AbortController()
  const tally = createTally({ ...KILLS, signal: AbortSignal.any([signal, failed.signal]) })
  const load = () => ({ office, ledger, tally, chance: chance.fork() })
  const readers = [...names('reader'), 'session']
  const loops = [
    killServers(load(), session, names('reader')),
    ...hooks.map((read) => killHooks(load(), read)),
    ...senders.map((seat) => sendOn(load(), seat, readers)),
  ]
  const serving = killHubs(load())
  // When one of them fails, the others end before anything is cleared away.
  await Promise.all([serving, ...loops]).catch(() => failed.abort())
  await Promise.allSettled([serving, ...loops])
  await Promise.all(loops)
  const hub = await serving
  signal.throwIfAborted()
  await session.startMcp(0)
  await waitFor(() => countKept(office) === 0, 'the spool to be empty', 60_000)
  for (const read of hooks) await drain(office, ledger, async () => (await read()).context)
  await drain(office, ledger, () => session.deliver('UserPromptSubmit'))
  hub.kill('SIGTERM')
  await hub.exited
  expect(office.inspect()).toBe('ok')

  const verdict = ledger.judge()
  const { answered, again } = verdict
  for (const [killed, places] of Object.entries(tally.places)) {
    const most = [...places].toSorted(([, one], [, other]) => other - one)
    report(run, {
      section: 'random',
      killed,
      order: 0,
      at: most.map(([place, times]) => `${place} ${times}`).join(', '),
      times: tally.counts[killed as Killed],
      answered,
      lost: verdict.lost.length,
      unmarked: verdict.unmarked.length,
      outcome: `${again} came marked as a possible repeat`,
    })
  }
  expect(verdict).toMatchObject({ lost: [], unmarked: [], disordered: [], doubled: [] })
  expect(answered).toBeGreaterThan(500)
})
