import { connect, openSqlite, type Connection, type ConnectOptions } from './connection.ts'
import { beginEpoch } from './epoch.ts'
import { createExpiry } from './expiry.ts'
import { createMachineTokens, type MachineTokens } from './machine-tokens.ts'
import { createMachines, type Machines } from './machines.ts'
import { createMailbox, type Mailbox } from './mailbox.ts'
import { createMessages, type Messages } from './messages.ts'
import { migrateConnection, migrateFile, type MigrateOptions, type MigrationResult } from './migrate.ts'
import { createNotifications } from './notifications.ts'
import { createPeers, type Peers } from './peers.ts'
import { createFormerRoots, createRegistration } from './registration.ts'
import { createSeatRemoval } from './remove-seat.ts'
import { createSweeper } from './sweep.ts'
import { createWithdrawals, type Withdrawals } from './withdrawal.ts'

/** The hub's memory: one connection and its operations, by aggregate. */
export type Database = Connection & {
  peers: Peers
  machines: Machines
  machineTokens: MachineTokens
  messages: Messages
  mailbox: Mailbox
  register: ReturnType<typeof createRegistration>
  withdraw: Withdrawals['withdraw']
  formerRoots: ReturnType<typeof createFormerRoots>
  sweep: ReturnType<typeof createSweeper>
  /** Lets what is due within the hour wait an hour from now; belongs inside `queue.run`. */
  grantGrace: () => number
  removeSeat: ReturnType<typeof createSeatRemoval>
  notifications: ReturnType<typeof createNotifications>
  /** Commits what was asked for, then closes the file. */
  close(): void
}

/** Migrates the file and opens it. Throws what `migrateFile` throws. The caller holds the claim. */
export function openDatabase(options: Omit<MigrateOptions, 'now'> & ConnectOptions & { now: () => number }): {
  database: Database
  migration: MigrationResult
} {
  const migration = migrateFile({ ...options, now: options.now() })
  const { file, now, machine } = options
  const connection = connect(openSqlite(file), now, { ...options, homeId: machine.id })
  return { database: toDatabase(connection), migration }
}

/** An empty database in memory, for tests and measurements of the operations alone. */
export function openInMemory(options: ConnectOptions & { folder: string; now: () => number }): Database {
  const sqlite = openSqlite(':memory:')
  migrateConnection(sqlite, options.folder)
  beginEpoch(sqlite)
  return toDatabase(connect(sqlite, options.now, options))
}

function toDatabase(connection: Connection): Database {
  const sweep = createSweeper(connection)
  const removeSeat = createSeatRemoval(connection)
  const withdrawals = createWithdrawals(connection, removeSeat)
  return {
    ...connection,
    peers: createPeers(connection),
    machines: createMachines(connection),
    machineTokens: createMachineTokens(connection),
    messages: createMessages(connection),
    mailbox: createMailbox(connection),
    register: createRegistration(connection, withdrawals),
    withdraw: withdrawals.withdraw,
    formerRoots: createFormerRoots(connection),
    sweep,
    grantGrace: createExpiry(connection).grantGrace,
    removeSeat,
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
