import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { migrateFile } from '../../lib/db/migrate.ts'
import { FOLDER, HOUR, LAPTOP, makeDirectory, openFileWorld, openPlain, START } from './harness.ts'
import { addMigration, REBUILD } from './migration.ts'
import { writePredecessor } from './predecessor.ts'

const child = join(import.meta.dirname, 'crash-child.ts')

/** Runs the child and kills it at its line `lines`; returns what it had said by then, and whether it was killed. */
async function run(
  args: string[],
  lines = Number.POSITIVE_INFINITY,
): Promise<{ said: string[]; killed: boolean }> {
  const started = spawn(process.execPath, [child, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(started, 'exit')
  const said: string[] = []
  for await (const line of createInterface(started.stdout)) {
    said.push(line)
    if (said.length === lines) started.kill('SIGKILL')
  }
  const [, signal] = (await exit) as [number | null, string | null]
  return { said, killed: signal === 'SIGKILL' }
}

test('a hub that is killed while it commits loses nothing that it acknowledged', async () => {
  using directory = makeDirectory()
  for (const lines of [1, 200]) {
    const { said, killed } = await run(['send', directory.file], lines)
    expect(killed).toBe(true)
    const claims = said.flatMap((line) => {
      const claim = /^(sent|delivered) (\d+) \.$/.exec(line)
      return claim ? [claim.slice(1)] : []
    })
    using world = openFileWorld(directory.file)
    const { mailbox, peers, sqlite } = world.database
    expect(sqlite.pragma('integrity_check', { simple: true })).toBe('ok')
    expect(sqlite.pragma('foreign_key_check')).toEqual([])
    expect(claims.length).toBeGreaterThanOrEqual(lines)
    for (const [claim, id] of claims) {
      const { state } = world.receipt(Number(id))
      expect(claim === 'sent' || state === 'delivered', `message ${id} was ${claim} and is ${state}`).toBe(
        true,
      )
    }
    // What was on offer is offered again.
    const web = peers.named('web')[0]!.id
    world.advance(HOUR)
    world.acknowledge(web, world.consume(web))
    expect(mailbox.hasMail(web)).toBe(false)
  }
})

const CASES = {
  migration: {
    prepare(directory: string, file: string) {
      {
        using world = openFileWorld(file)
        world.send(world.join('api'), world.join('web'), 'kept')
      }
      return addMigration(directory, REBUILD)
    },
    outcome: 'migrated',
  },
  adoption: {
    prepare(_directory: string, file: string) {
      const peers = ['api', 'web'].map((id) => ({ id, cwd: `/src/${id}` }))
      const messages = [{ from_id: 'api', to_id: 'web', text: 'kept' }]
      writePredecessor(`${file}.lived`, { version: 2, peers, messages: [] })
      // A broker that was killed: its last message is in the log alone.
      using broker = openPlain(`${file}.lived`)
      broker.pragma('wal_autocheckpoint = 0')
      broker
        .prepare('insert into messages (from_id, to_id, text, sent_at) values (?, ?, ?, ?)')
        .run('api', 'web', messages[0]!.text, '')
      for (const suffix of ['', '-wal']) copyFileSync(`${file}.lived${suffix}`, file + suffix)
      return FOLDER
    },
    outcome: 'adopted',
  },
}

test.for(Object.entries(CASES))(
  'after a %s that was killed, the next start makes up for it',
  async ([, one]) => {
    for (const call of ['linkSync', 'renameSync']) {
      using directory = makeDirectory()
      const folder = one.prepare(directory.path, directory.file)
      expect(await run(['kill', directory.file, folder, call])).toEqual({ said: [], killed: true })
      expect(recover(directory.file, folder)).toBe(one.outcome)
    }
  },
)

test.for(Object.entries(CASES))(
  'after a %s that ended at any step, the next start makes up for it',
  async ([, one]) => {
    using directory = makeDirectory()
    using snapshots = makeDirectory()
    const folder = one.prepare(directory.path, directory.file)
    expect(await run(['snapshot', directory.file, folder, snapshots.path])).toEqual({
      said: [one.outcome],
      killed: false,
    })
    const steps = readdirSync(snapshots.path).toSorted()
    const outcomes = steps.map((step) =>
      recover(join(snapshots.path, step, basename(directory.file)), folder),
    )
    // Up to the rename it is the old file, from there on the new one; there is nothing in between.
    const renamed = outcomes.indexOf('current')
    expect(renamed).toBeGreaterThan(5)
    expect(new Set(outcomes.slice(0, renamed))).toEqual(new Set([one.outcome]))
    expect(new Set(outcomes.slice(renamed))).toEqual(new Set(['current']))
  },
)

/** Starts again on what is there: the message of before must wait in a sound database. */
function recover(file: string, folder: string): string {
  const { outcome } = migrateFile({ file, folder, now: START, machine: LAPTOP })
  using sqlite = openPlain(file)
  expect(sqlite.pragma('integrity_check', { simple: true })).toBe('ok')
  const kept = sqlite.prepare('select body, state from messages join deliveries on message_id = id').all()
  expect(kept).toEqual([{ body: 'kept', state: 'queued' }])
  return outcome
}
