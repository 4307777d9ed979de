import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase } from '#db/open'
import type { MigrationResult } from '#db/migrate'
import { toProcess, type SeatRow } from '#db/peer-rows'
import type { Config } from '#machine/config'
import { toIdentityText } from '#machine/hub-identity'
import { sweepLeftovers } from '#machine/leftovers'
import { readMachineId } from '#machine/machine-id'
import { PACKAGE_ROOT, VERSION } from '#machine/package'
import { makePrivateDir } from '#machine/paths'
import { canSee, isKnownToRun, ownIdentity, type ProcessIdentity } from '#machine/processes'
import { removeRendezvous, writeRendezvous } from '#machine/rendezvous'
import { ensureToken } from '#machine/token'
import type { Hub } from '#router/context'
import { claimDatabase } from './claim.ts'
import { withDatabase } from './database.ts'
import { watchFiles, type EndReason } from './files.ts'
import type { Log } from './log.ts'
import { createMetrics } from './metrics.ts'
import { createNotifier, type Notifier } from './notifier.ts'
import { createPresence } from './presence.ts'
import { listen } from './server.ts'
import { createRefusals } from './refusals.ts'
import { createSweep } from './sweep.ts'
import { takeOver } from './take-over.ts'
import { createTell } from './tell.ts'
import { createUndo, type Undo } from './undo.ts'

export type RunningHub = {
  url: string
  migration: MigrationResult
  /** Stops serving, then closes the database; safe to call twice. */
  close(): Promise<void>
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
  /** Whoever started the hub looks after it, so that it hands over to no other. */
  foreground?: boolean
  /** The process of an older hub, which is asked to hand over. */
  replaces?: ProcessIdentity | undefined
  /** Ends the wait for that hub. */
  signal?: AbortSignal | undefined
  /** Called when a client asks the hub to stop, and when it must end by itself. */
  onStop: (reason: 'asked' | 'handover' | EndReason) => void
}

/** Also at rest: what is written into a database that was taken away is lost, and grace ends on time. */
const TICK_MS = 1_000
const SWEEP_EVERY_TICKS = 5

/**
 * Starts the hub: claims the database, listens, and only then migrates, so that neither a second hub nor one that
 * cannot have its port ever touches the file. Rejects with ClaimedError, ListenError, NewerDatabaseError or
 * DatabaseError; nothing is left behind then.
 */
export async function startHub(options: StartOptions): Promise<RunningHub> {
  const { config, replaces, signal } = options
  const { database: file, paths } = config
  makePrivateDir(paths.dir)
  const claim = await withDatabase(file, () =>
    replaces === undefined
      ? claimDatabase(file)
      : takeOver(config, { older: replaces, reason: 'handover', signal }),
  )
  if (!claim) {
    throw new ClaimedError(
      `Another hub already serves ${file}: "claude-peers status" shows it, "claude-peers stop" ends it.`,
    )
  }
  sweepLeftovers(paths)
  const undo = createUndo()
  undo.add(() => claim.release())
  try {
    return await serve(options, undo)
  } catch (cause) {
    await undo.run()
    throw cause
  }
}

async function serve(options: StartOptions, undo: Undo): Promise<RunningHub> {
  const { config, log, onStop, foreground = false, now = Date.now } = options
  const { database: file, paths } = config
  const machine = { id: readMachineId(paths.machineId), host: config.host }
  const token = ensureToken(paths.token)
  const metrics = createMetrics(log)
  const own = ownIdentity()
  const identity = { ...own, version: VERSION, database: file, ...(foreground && { foreground }) }
  const server = await listen({
    bind: config.bind,
    port: config.port,
    localToken: token,
    sharedToken: config.token,
    hosts: [config.host, ...config.hosts],
    version: VERSION,
    identity: toIdentityText(identity),
    log,
    metrics,
  })
  const folder = join(PACKAGE_ROOT, 'drizzle')
  const { database, migration } = await withDatabase(file, () =>
    openDatabase({
      file,
      folder,
      machine,
      now,
      meter: metrics.meter,
      expireAfterMs: config.expireAfterMs,
    }),
  ).catch(async (cause: unknown) => {
    await server.close()
    throw cause
  })
  // First nobody calls any more, then the file is closed, then the claim is given up.
  undo.add(() => database.close())
  undo.add(() => server.close())
  chmodSync(file, 0o600)

  const isRunning = (peer: SeatRow) => {
    const holder = toProcess(peer)
    return peer.machineId === machine.id && holder && canSee(holder) ? isKnownToRun(holder) : undefined
  }
  const failures = createRefusals({ log, now })
  undo.add(() => failures.close())
  const report = (cause: unknown) => failures.fail('hub', 'background work failed', { err: cause })
  const presence = createPresence({ database, isRunning, onError: report })
  const notifier = toNotifier(config, { database, isRunning, presence, log })
  const startedAt = now()
  const hub: Hub = {
    version: VERSION,
    machineId: machine.id,
    host: machine.host,
    home: paths.home,
    stats: () => ({ ...own, startedAt, sockets: server.sockets.count(), reach: server.reach() }),
    urls: () => server.reach().urls,
    disconnect: server.sockets.disconnect,
    socketsOf: server.sockets.countOf,
    stop: onStop,
    foreground,
    isRunning,
    presence,
    notifies: () => notifier?.works() ?? false,
  }
  server.serve({ database, hub })
  metrics.serve({ database, version: VERSION, sockets: server.sockets.count })

  const rendezvous = { ...identity, url: server.url, tokenPath: paths.token }
  writeRendezvous(paths.rendezvous, rendezvous)
  undo.add(() => removeRendezvous(paths.rendezvous, own))
  const files = watchFiles(config, { rendezvous, token, inPlace: database.inPlace })
  undo.add(() => notifier?.close())
  const sweepMail = createSweep(database, log)
  const sweep = async () => {
    await sweepMail()
    await notifier?.sweep()
  }
  let ticks = 0
  const timer = setInterval(() => {
    presence.tick().catch(report)
    void metrics.load()
    if (++ticks % SWEEP_EVERY_TICKS === 0) sweep().catch(report)
    const reason = attempt(files.check, report)
    if (reason) onStop(reason)
  }, TICK_MS)
  undo.add(() => clearInterval(timer))
  log.info({ url: server.url, version: VERSION, database: file, migration }, 'hub serves')
  return { url: server.url, migration, close: () => undo.run() }
}

function toNotifier(
  { notify }: Config,
  rest: Omit<Parameters<typeof createNotifier>[0], 'tell'>,
): Notifier | undefined {
  return notify === 'off' ? undefined : createNotifier({ ...rest, tell: createTell(notify) })
}

/** What cannot be looked at now may be looked at the next time: that is no reason to end. */
function attempt<T>(check: () => T | undefined, report: (cause: unknown) => void): T | undefined {
  try {
    return check()
  } catch (cause) {
    report(cause)
    return undefined
  }
}
