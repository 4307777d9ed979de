/**
 * A process that a test kills. `send <file>` sends without end and says every number that was acknowledged.
 * `kill <file> <folder> <call>` migrates or adopts and kills itself just before its last call of that name;
 * `snapshot <file> <folder> <directory>` copies the database before every step, as a kill would leave it there.
 */
import fs, { writeSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { basename, dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { migrateFile } from '../../lib/db/migrate.ts'
import { LAPTOP, openFileWorld, START } from './harness.ts'

const [task, file, folder = '', last = ''] = process.argv.slice(2) as [string, string, ...string[]]
if (task === 'send') await send(file)
if (task === 'kill') migrateWith(killBefore(last))
if (task === 'snapshot') migrateWith(snapshotTo(last))

async function send(file: string): Promise<never> {
  const world = openFileWorld(file)
  const { mailbox, messages, peers, queue } = world.database
  const [api, web] = ['api', 'web'].map((name) => peers.named(name)[0]?.id ?? world.join(name)) as [
    string,
    string,
  ]
  for (let number = 0; ;) {
    // Slower than the limit of a minute, and acknowledged below, so that the mailbox is never full.
    world.advance(10_000)
    const keys = Array.from({ length: 8 }, () => `${process.pid}-${++number}`)
    const sent = keys.map((idempotencyKey) => {
      const draft = { senderId: api, recipientIds: [web], idempotencyKey, body: idempotencyKey }
      return queue.run(() => messages.send({ ...draft, urgency: 'normal' }))
    })
    for (const result of await Promise.all(sent)) {
      if (result.kind === 'sent') writeSync(1, `sent ${result.messageId} .\n`)
    }
    const offer = await queue.run(() => mailbox.consume({ recipientId: web, budget: 1e6, overhead: 0 }))
    await queue.run(() => mailbox.acknowledge(web, offer.offerId!))
    for (const mail of offer.messages) writeSync(1, `delivered ${mail.id} .\n`)
  }
}

type Step = (name: string) => void

/** Calls `before` ahead of every call that may change a file. */
function migrateWith(before: Step): void {
  const names = ['openSync', 'chmodSync', 'linkSync', 'renameSync', 'rmSync', 'fsyncSync'] as const
  for (const name of names) watch(fs, name)
  for (const name of ['prepare', 'exec', 'pragma', 'close'] as const) watch(Sqlite.prototype, name)
  syncBuiltinESMExports()
  writeSync(1, `${migrateFile({ file, folder, now: START, machine: LAPTOP }).outcome}\n`)

  function watch<Name extends string>(owner: Record<Name, (...values: never[]) => unknown>, name: Name) {
    const original = owner[name]
    owner[name] = function (this: unknown, ...values: never[]) {
      before(name)
      return original.apply(this, values)
    }
  }
}

function killBefore(call: string): Step {
  return (name) => {
    if (name === call) process.kill(process.pid, 'SIGKILL')
  }
}

/** A kill leaves what the files hold at that moment: nothing that only the process knew. */
function snapshotTo(directory: string): Step {
  const { cpSync, mkdirSync, readdirSync, readFileSync } = fs
  let step = 0
  let taking = false
  let before = ''
  return (name) => {
    if (taking) return
    taking = true
    const files = readdirSync(dirname(file)).filter((one) => one.startsWith(basename(file)))
    const state = files.map((one) => `${one} ${readFileSync(join(dirname(file), one), 'latin1')}`).join('\n')
    if (state !== before) {
      const target = join(directory, `${String(++step).padStart(3, '0')}-before-${name}`)
      mkdirSync(target)
      for (const one of files) cpSync(join(dirname(file), one), join(target, one))
    }
    before = state
    taking = false
  }
}
