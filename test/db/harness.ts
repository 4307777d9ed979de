import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Mail } from '../../lib/db/mail-rows.ts'
import type { ConsumeOptions, Offer, Requeue } from '../../lib/db/mailbox.ts'
import type { Draft } from '../../lib/db/messages.ts'
import { openDatabase, openInMemory, type Database } from '../../lib/db/open.ts'
import type { Receipt } from '../../lib/db/receipt-rows.ts'
import type { Registered, Registration } from '../../lib/db/registration.ts'

/** The folder of generated migrations. */
export const FOLDER = join(import.meta.dirname, '../../drizzle')
export const LAPTOP = { id: 'machine-laptop', host: 'laptop' }
export const DESKTOP = { id: 'machine-desktop', host: 'desktop' }
/** When the time of every test begins. */
export const START = Date.UTC(2026, 10, 20, 9)
export const SECOND = 1_000
export const HOUR = 60 * 60 * SECOND

export type Clock = { now: number }

/** One database, its time, and words for what sessions do with it. Every write is committed when it returns. */
export type World = Disposable & ReturnType<typeof toWorld>

/** An empty database in memory whose time stands still until a test moves it. */
export function openWorld(): World {
  const clock: Clock = { now: START }
  return toWorld(openInMemory({ folder: FOLDER, now: () => clock.now, homeId: LAPTOP.id }), clock)
}

/** The same on a file, which is created or migrated. */
export function openFileWorld(file: string, clock: Clock = { now: START }): World {
  return toWorld(openFile(file, clock), clock, file)
}

const openFile = (file: string, clock: Clock): Database =>
  openDatabase({ file, folder: FOLDER, machine: LAPTOP, now: () => clock.now }).database

/** A connection of its own, without the settings of lib/db, that never waits for a lock. */
export function openPlain(file: string, options: Sqlite.Options = {}): Sqlite.Database & Disposable {
  const sqlite = new Sqlite(file, { timeout: 0, ...options })
  return Object.assign(sqlite, { [Symbol.dispose]: () => void sqlite.close() })
}

/** Where syncs cost nothing, for what has no disk on trial. */
export const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : undefined

/** A directory that is gone at the end of the test. */
export function makeDirectory(parent = tmpdir()): Disposable & { path: string; file: string } {
  const path = mkdtempSync(join(parent, 'claude-peers-db-'))
  return {
    path,
    file: join(path, 'peers.db'),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}

function toWorld(opened: Database, clock: Clock, file = ':memory:') {
  let database = opened
  let path = file
  const held = new Set<string>()
  let sends = 0
  let processes = 1_000

  function commit<T>(work: () => T): T {
    let outcome: { value: T } | { cause: unknown } | undefined
    database.queue
      .run(() => {
        try {
          outcome = { value: work() }
          return undefined
        } catch (cause) {
          outcome = { cause }
          throw cause
        }
      })
      .catch(() => undefined)
    database.queue.flush()
    if (outcome === undefined) throw new Error('the write was never run')
    if ('cause' in outcome) throw outcome.cause
    return outcome.value
  }

  function register(wanted: Partial<Registration> = {}, keyFor?: string): Registered {
    const root = wanted.root ?? '/src/api'
    return commit(() =>
      database.register(
        { machine: LAPTOP, kind: 'session', root, cwd: root, isRepo: true, summary: '', ...wanted },
        { isHeld: (peer) => held.has(peer.id), keyFor },
      ),
    )
  }

  const trySend = (senderId: string, to: string | string[], options: Partial<Draft> = {}) =>
    commit(() =>
      database.messages.send({
        senderId,
        recipientIds: [to].flat(),
        idempotencyKey: `key-${++sends}`,
        body: `message ${sends}`,
        urgency: 'normal',
        ...options,
      }),
    )

  return {
    get database() {
      return database
    },
    clock,
    /** The seats that somebody alive holds. */
    held,
    commit,
    register,
    trySend,
    advance(ms: number) {
      clock.now += ms
    },
    /** A session of its own process takes a seat in `/src/<name>` and holds it. */
    join(name = 'api', wanted: Partial<Registration> = {}): string {
      const pid = ++processes
      const { peer } = register({ root: `/src/${name}`, pid, pidStart: `start-${pid}`, ...wanted })
      held.add(peer.id)
      return peer.id
    },
    /** Sends what nobody refuses; returns the message's id. */
    send(senderId: string, to: string | string[], options: Partial<Draft> | string = {}): number {
      const sent = trySend(senderId, to, typeof options === 'string' ? { body: options } : options)
      if (sent.kind !== 'sent') throw new Error(`not sent: ${sent.kind}`)
      return sent.messageId
    },
    consume: (recipientId: string, options: Partial<ConsumeOptions> = {}): Offer =>
      commit(() => database.mailbox.consume({ recipientId, budget: 100_000, overhead: 0, ...options })),
    acknowledge: (recipientId: string, offer: Offer): number =>
      commit(() => database.mailbox.acknowledge(recipientId, offer.offerId!)),
    release: (recipientId: string, offer: Offer): number =>
      commit(() => database.mailbox.release(recipientId, offer.offerId!)),
    confirm: (recipientId: string, messageIds: number[]): number =>
      commit(() => database.mailbox.confirm(recipientId, messageIds)),
    requeue: (recipientId: string, messageIds: number[], why: Requeue): number =>
      commit(() => database.mailbox.requeue(recipientId, messageIds, why)),
    retract: (senderId: string, messageId: number): Receipt[] =>
      commit(() => database.messages.retract(senderId, messageId)),
    sweep: () => commit(() => database.sweep()),
    /** Ends the hub of a file in good order and starts it again. */
    restart() {
      database.close()
      database = openFile(path, clock)
    },
    /** Goes on with what a kill would leave of the files at this moment. */
    crash() {
      const left = `${path}+`
      for (const suffix of ['', '-wal']) {
        if (existsSync(path + suffix)) copyFileSync(path + suffix, left + suffix)
      }
      database.close()
      path = left
      database = openFile(path, clock)
    },
    /** The receipt of a message that has one recipient. */
    receipt(messageId: number): Receipt {
      const receipts = database.messages.receipts(messageId)
      if (receipts.length !== 1) throw new Error(`message ${messageId} has ${receipts.length} receipts`)
      return receipts[0]!
    },
    [Symbol.dispose]: () => database.close(),
  }
}

/** What was said, in the order in which it was offered. */
export const bodies = ({ messages }: { messages: Mail[] }): string[] => messages.map((mail) => mail.body)
