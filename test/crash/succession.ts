/** A database that is taken over from the predecessor, and a hub that takes the place of an older one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HUB_EXIT } from '../../lib/machine/exit-codes.ts'
import { toReplaces } from '../../lib/machine/hub-identity.ts'
import { readIdentity } from '../../lib/machine/processes.ts'
import { writePredecessor } from '../db/predecessor.ts'
import { waitFor } from '../harness/wait.ts'
import { createLedger, toText } from './ledger.ts'
import type { Office, Victim } from './office.ts'
import { drain, send, superviseHub, toEnding, type Ending } from './stories.ts'

/** The hub is killed while it makes our database out of one of claude-peers v2 in which mail waits. */
export async function tellMigration(office: Office, rule: string): Promise<Ending> {
  const ledger = createLedger()
  const text = toText('web', 'api', 1)
  const peers = ['web', 'api'].map((id) => ({ id, cwd: `/src/${id}` }))
  const messages = [{ from_id: 'web', to_id: 'api', text }]
  writePredecessor(office.database, { version: 2, peers, messages })
  ledger.answer(text, 1)
  await using hub = await superviseHub(office, rule)
  await waitFor(() => hub.integrity.length > 0, 'the hub to be killed')
  await waitFor(() => hub.isServing(), 'the next hub to serve', 20_000)
  const id = readFileSync(join(office.home.path, '.claude-peers.machine-id'), 'utf8').trim()
  const machine = { machine: { id, host: 'laptop' } }
  const web = await office.takeSeat('web', machine)
  const read = await office.seatHooks(await office.takeSeat('api', machine))
  await send(ledger, web, { from: 'web', to: 'api', number: 2 })
  await drain(office, ledger, async () => (await read()).context)
  await hub.end()
  return toEnding(ledger, { killedAt: hub.killedAt(), integrity: hub.integrity, outcome: '' })
}

/** An older hub is asked to let go by a newer one; one of the two is killed meanwhile. */
export async function tellHandOver(
  office: Office,
  {
    olderScript,
    older: olderRule,
    newer: newerRule,
  }: { olderScript: string; older?: string; newer?: string },
): Promise<Ending> {
  const ledger = createLedger()
  const older = await office.serve({ script: olderScript, rule: olderRule })
  const web = await office.takeSeat('web')
  const read = await office.seatHooks(await office.takeSeat('api'))
  const say = (number: number) => send(ledger, web, { from: 'web', to: 'api', number })
  await say(1)
  await say(2)
  const word = toReplaces(readIdentity(older.pid))
  const replace = (rule?: string) => office.serve({ args: [word], rule })
  const newer = await replace(newerRule)
  const killedAt = await waitFor(() => older.killedAt() ?? newer.killedAt(), 'one of them to be killed')
  const ended = olderRule === undefined ? newer : older
  await ended.exited
  // Where the newer one died before it had asked, the older one still serves, and is asked again.
  const server = ended === older && newer.serves ? newer : await replaceAtLast(replace)
  await say(3)
  await drain(office, ledger, async () => (await read()).context)
  server.kill('SIGTERM')
  await server.exited
  await older.exited
  const integrity = [office.inspect()]
  return toEnding(ledger, { killedAt, integrity, outcome: '' })
}

/** Starts a hub as a starter does: again while an older one that is on its way out has the claim. */
async function replaceAtLast(replace: () => ReturnType<Office['serve']>): Promise<Victim> {
  for (;;) {
    const hub = await replace()
    if (hub.serves) return hub
    const code = await hub.exited
    if (code !== HUB_EXIT.claimed) throw new Error(`the hub ended with ${code}: ${hub.stderr()}`)
  }
}
