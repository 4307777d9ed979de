import { connect, openSqlite, type Connection } from './connection.ts'
import { beginEpoch } from './epoch.ts'
import { createMachineTokens, type MachineTokens } from './machine-tokens.ts'
import { createMachines, type Machines } from './machines.ts'
import { createMailbox, type Mailbox } from './mailbox.ts'
import { createMessages, type Messages } from './messages.ts'
import type { Meter } from './meter.ts'
import { migrateConnection, migrateFile, type MigrateOptions, type MigrationResult } from './migrate.ts'
import { createNotifications } from './notifications.ts'
import { createPeers, type Peers } from './peers.ts'
import { createRegistration } from './registration.ts'
import { createSeatRemoval } from './remove-seat.ts'
import { createSweeper } from './sweep.ts'

/** The hub's memory: one connection and its operations, by aggregate. */
export type Database = Connection & {
  peers: Peers
  machines: Machines
  machineTokens: MachineTokens
  messages: Messages
  mailbox: Mailbox
  register: ReturnType<typeof createRegistration>
  sweep: ReturnType<typeof createSweeper>
  removeSeat: ReturnType<typeof createSeatRemoval>
  notifications: ReturnType<typeof createNotifications>
  /** Commits what was asked for, then closes the file. */
  close(): void
}

/** Migrates the file and opens it. Throws what `migrateFile` throws. The caller holds the claim. */
export function openDatabase(
  options: Omit<MigrateOptions, 'now'> & { now: () => number; meter?: Meter | undefined },
): {
  database: Database
  migration: MigrationResult
} {
  const migration = migrateFile({ ...options, now: options.now() })
  const { file, now, meter, machine } = options
  const opened = connect(openSqlite(file), { now, meter, homeId: machine.id })
  return { database: toDatabase(opened), migration }
}

/** An empty database in memory, for tests and measurements of the operations alone. */
export function openInMemory(options: {
  folder: string
  now: () => number
  meter?: Meter | undefined
  homeId?: string | undefined
}): Database {
  const sqlite = openSqlite(':memory:')
  migrateConnection(sqlite, options.folder)
  beginEpoch(sqlite)
  return toDatabase(connect(sqlite, options))
}

function toDatabase(connection: Connection): Database {
  return {
    ...connection,
    peers: createPeers(connection),
    machines: createMachines(connection),
    machineTokens: createMachineTokens(connection),
    messages: createMessages(connection),
    mailbox: createMailbox(connection),
    register: createRegistration(connection),
    sweep: createSweeper(connection),
    removeSeat: createSeatRemoval(connection),
    notifications: createNotifications(connection),
    close() {
      try {
        connection.queue.flush()
      } finally {
        connection.sqlite.close()
      }
    },
  }
}
