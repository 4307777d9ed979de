/**
 * A process that a test kills. `send <file>` sends without end and says every acknowledged number; `migrate <file>
 * <folder> <step>` migrates or adopts and kills itself before the given step, a call that changes a file.
 */
import fs, { writeSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import Sqlite from 'better-sqlite3'
import { migrateFile } from '../../lib/db/migrate.ts'
import { FOLDER, LAPTOP, openFileWorld, START } from './harness.ts'

const [task, file, ...rest] = process.argv.slice(2) as [string, string, ...string[]]
if (task === 'send') await send(file)
else migrateUntil(file, rest[0] ?? FOLDER, Number(rest[1]))

async function send(file: string): Promise<never> {
  const world = openFileWorld(file)
  const { database } = world
  const [api, web] = ['api', 'web'].map((name) => database.peers.named(name)[0]?.id ?? world.join(name)) as [
    string,
    string,
  ]
  const round = `${process.pid}`
  for (let number = 0; ;) {
    // Slower than the limit of a minute, and acknowledged below, so that the mailbox is never full.
    world.advance(10_000)
    const group = Array.from({ length: 8 }, () => `${round}-${++number}`)
    const sent = group.map((idempotencyKey) =>
      database.queue.run(() =>
        database.messages.send({
          senderId: api,
          recipientIds: [web],
          idempotencyKey,
          body: idempotencyKey,
          urgency: 'normal',
        }),
      ),
    )
    for (const result of await Promise.all(sent)) {
      if (result.kind === 'sent') writeSync(1, `sent ${result.messageId} .\n`)
    }
    const offer = await database.queue.run(() =>
      database.mailbox.consume({ recipientId: web, budget: 1e6, overhead: 0 }),
    )
    const settled = await database.queue.run(() => database.mailbox.acknowledge(web, offer.offerId!))
    if (settled > 0) for (const mail of offer.messages) writeSync(1, `delivered ${mail.id} .\n`)
  }
}

function migrateUntil(file: string, folder: string, last: number): void {
  let step = 0
  const names = [
    'openSync',
    'chmodSync',
    'linkSync',
    'renameSync',
    'rmSync',
    'fsyncSync',
    'mkdirSync',
  ] as const
  for (const name of names) watch(fs, name)
  syncBuiltinESMExports()
  for (const name of ['prepare', 'exec', 'pragma', 'close'] as const) watch(Sqlite.prototype, name)
  const { outcome } = migrateFile({ file, folder, now: START, machine: LAPTOP })
  writeSync(1, `${outcome} ${step}\n`)

  function watch<Name extends string>(owner: Record<Name, (...values: never[]) => unknown>, name: Name) {
    const original = owner[name]
    owner[name] = function (this: unknown, ...values: never[]) {
      if (step++ === last) process.kill(process.pid, 'SIGKILL')
      return original.apply(this, values)
    }
  }
}
