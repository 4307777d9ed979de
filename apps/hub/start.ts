import { chmodSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '#db/open'
import { NewerDatabaseError, type MigrationResult } from '#db/migrate'
import type { PeerRow } from '#db/peer-rows'
import type { Config } from '#machine/config'
import { readMachineId } from '#machine/machine-id'
import { PACKAGE_ROOT, VERSION } from '#machine/package'
import { makePrivateDir } from '#machine/paths'
import { isSameProcess } from '#machine/processes'
import { removeRendezvous, writeRendezvous } from '#machine/rendezvous'
import { ensureToken } from '#machine/token'
import type { Hub } from '#router/context'
import { claimDatabase } from './claim.ts'
import type { Log } from './log.ts'
import { createPresence } from './presence.ts'
import { listen } from './server.ts'

export type RunningHub = {
  url: string
  migration: MigrationResult
  /** Stops serving, then closes the database; safe to call twice. */
  close(): Promise<void>
}

/** The database file cannot be opened, read or written; the message names it. */
export class DatabaseError extends Error {
  override name = 'DatabaseError'
}

/** Another hub serves this database. */
export class ClaimedError extends Error {
  override name = 'ClaimedError'
}

export type StartOptions = {
  config: Config
  log: Log
  /** Milliseconds since the epoch; injected in tests. */
  now?: () => number
  /** Called when a client asks the hub to stop. */
  onStop: (reason: 'asked' | 'handover') => void
}

const TICK_MS = 1_000
const SWEEP_EVERY_TICKS = 5

/**
 * Starts the hub: claims the database, listens, and only then migrates, so that neither a second hub nor one that
 * cannot have its port ever touches the file. Rejects with ClaimedError, ListenError, NewerDatabaseError or
 * DatabaseError; nothing is left behind then.
 */
export async function startHub({ config, log, onStop, now = Date.now }: StartOptions): Promise<RunningHub> {
  const { paths } = config
  makePrivateDir(paths.dir)
  const machine = { id: readMachineId(paths.machineId), host: config.host }
  const claim = naming(config.database, () => claimDatabase(config.database))
  if (!claim) throw new ClaimedError(`Another hub already serves ${config.database}.`)
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => claim.release())

  const hosts = [config.host, hostname(), hostname().split('.')[0]!].map((name) => name.toLowerCase())
  const server = await listen({
    bind: config.bind,
    port: config.port,
    localToken: ensureToken(paths.token),
    sharedToken: config.token,
    hosts,
    version: VERSION,
    log,
  })
  const folder = join(PACKAGE_ROOT, 'drizzle')
  const opened = cleanupOnFailure(
    () => naming(config.database, () => openDatabase({ file: config.database, folder, machine, now })),
    () => server.close(),
  )
  const { database, migration } = await opened
  // Disposal runs in reverse: first nobody calls any more, then the file is closed, then the claim is given up.
  cleanup.defer(() => database.close())
  cleanup.defer(() => server.close())
  chmodSync(config.database, 0o600)

  const isRunning = (peer: PeerRow) =>
    peer.machineId === machine.id && peer.pid !== null ? isSameProcess(peer.pid, peer.pidStart) : undefined
  const report = (cause: unknown) => log.error({ err: cause }, 'background work failed')
  const presence = createPresence({ database, isRunning, onError: report })
  const startedAt = now()
  const hub: Hub = {
    version: VERSION,
    machineId: machine.id,
    stats: () => ({ pid: process.pid, startedAt, sockets: server.sockets() }),
    stop: onStop,
    isRunning,
    presence,
  }
  server.serve({ database, hub })

  let ticks = 0
  const timer = setInterval(() => {
    presence.tick().catch(report)
    if (++ticks % SWEEP_EVERY_TICKS === 0) database.queue.run(() => database.sweep()).catch(report)
  }, TICK_MS)
  cleanup.defer(() => clearInterval(timer))
  writeRendezvous(paths.rendezvous, {
    url: server.url,
    tokenPath: paths.token,
    pid: process.pid,
    version: VERSION,
  })
  cleanup.defer(() => removeRendezvous(paths.rendezvous, process.pid))
  log.info({ url: server.url, version: VERSION, database: config.database, migration }, 'hub serves')

  const running = cleanup.move()
  return { url: server.url, migration, close: () => running.disposeAsync() }
}

function naming<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof NewerDatabaseError) throw cause
    const reason = (cause as Error).message
    throw new DatabaseError(
      `The database ${file} cannot be used (${reason}). Mend or move that file, or set CLAUDE_PEERS_DB to another one.`,
      { cause },
    )
  }
}

async function cleanupOnFailure<T>(work: () => T, undo: () => Promise<void>): Promise<T> {
  try {
    return work()
  } catch (cause) {
    await undo()
    throw cause
  }
}
