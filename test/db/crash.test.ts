import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
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
  for (const lines of [1, 60, 333]) {
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
      const peers = ['api', 'web'].map((id) => ({ id, cwd: `/work/${id}` }))
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
  'a killed %s is made up for by the next start, wherever it was killed',
  async ([, { prepare, outcome }]) => {
    using whole = makeDirectory()
    const { said } = await run(['migrate', whole.file, prepare(whole.path, whole.file), '-1'])
    expect(said[0]).toMatch(new RegExp(`^${outcome} \\d+$`))
    const steps = Number(said[0]!.split(' ')[1])
    // The last ones are those that put the new file in the place of the old.
    const chosen = [0.3, 0.6, 0.8].map((part) => Math.round(steps * part))
    chosen.push(...[8, 6, 5, 4, 3, 2, 1].map((before) => steps - before))
    const outcomes: string[] = []
    const workers = [0, 1].map(async (worker) => {
      for (const step of chosen.filter((_, index) => index % 2 === worker)) outcomes.push(await killAt(step))
    })
    await Promise.all(workers)
    expect(new Set(outcomes)).toEqual(new Set([outcome, 'current']))

    async function killAt(step: number): Promise<string> {
      using directory = makeDirectory()
      const { file } = directory
      const folder = prepare(directory.path, file)
      expect(await run(['migrate', file, folder, `${step}`])).toEqual({ said: [], killed: true })
      const again = migrateFile({ file, folder, now: START, machine: LAPTOP })
      using sqlite = openPlain(file)
      expect(sqlite.pragma('integrity_check', { simple: true })).toBe('ok')
      const kept = sqlite.prepare('select body, state from messages join deliveries on message_id = id').all()
      expect(kept).toEqual([{ body: 'kept', state: 'queued' }])
      return again.outcome
    }
  },
)
