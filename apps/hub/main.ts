import { BackupError } from '#db/backup'
import { DamagedDatabaseError } from '#db/integrity'
import { ForeignDatabaseError, NewerDatabaseError } from '#db/migrate'
import { escapeControls } from '#frame/escape'
import { ConfigError, readConfig, type Config } from '#machine/config'
import { HUB_EXIT } from '#machine/exit-codes'
import { readReplaces } from '#machine/hub-identity'
import { shortenPaths } from '#frame/home-path'
import { makePrivateDir, toPaths } from '#machine/paths'
import type { ProcessIdentity } from '#machine/processes'
import { backUp } from './backup.ts'
import { DatabaseError } from './database.ts'
import { DATABASE_GONE, LOG_GONE, TOKEN_CHANGED } from './files.ts'
import { openLog, type Log } from './log.ts'
import { migrateOnly } from './migrate-only.ts'
import { restore } from './restore.ts'
import { ListenError } from './server.ts'
import { createSettling } from './settle.ts'
import { ClaimedError, startHub } from './start.ts'
import { findReplaceable } from './supervised.ts'

const UNCAUGHT = 'uncaught exception'
const OF_THE_DATABASE = [ForeignDatabaseError, DatabaseError, BackupError, DamagedDatabaseError]
const FAILURES = new Set<string>([UNCAUGHT, DATABASE_GONE, LOG_GONE])

process.umask(0o077)
process.title = 'claude-peers hub'
process.exitCode = await main(process.argv.slice(2)).catch(toExitCode)

/** Serves until SIGTERM, SIGINT or a client's stop; with `--migrate`, `--backup` or `--restore` it only does that. */
async function main(args: string[]): Promise<number> {
  const config = readConfig()
  if (config.remote) {
    throw new ConfigError(toElsewhere(config.brokerUrl, args))
  }
  if (args.includes('--migrate')) return migrateOnly(config)
  if (args.includes('--backup')) return backUp(config, args)
  if (args.includes('--restore')) return restore(config, args)
  makePrivateDir(config.paths.dir)
  const foreground = args.includes('--foreground')
  const { log, close } = openLog(config.paths.log, { toTerminal: foreground })
  try {
    return await serve(config, {
      log,
      foreground,
      replaces: readReplaces(args) ?? (foreground ? await findReplaceable(config) : undefined),
    })
  } catch (cause) {
    // Of many that race for the start, all but one end here.
    if (!(cause instanceof ClaimedError)) log.error({ err: cause }, 'hub cannot serve')
    throw cause
  } finally {
    await close()
  }
}

async function serve(
  config: Config,
  { log, foreground, replaces }: { log: Log; foreground: boolean; replaces: ProcessIdentity | undefined },
): Promise<number> {
  const { promise: stopped, resolve } = Promise.withResolvers<string>()
  const stopping = new AbortController()
  const stop = (reason: string) => {
    stopping.abort()
    resolve(reason)
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  // A terminal that closes ends what runs in it, and nothing else.
  process.on('SIGHUP', () => foreground && stop('SIGHUP'))
  // What nobody foresaw may have left a half-done state in memory: the disk is right, so start anew from there.
  process.on('uncaughtException', (cause) => {
    log.fatal({ err: cause }, 'uncaught')
    stop(UNCAUGHT)
  })
  const onStop = (reason: string) => setImmediate(() => stop(reason))
  const hub = await startHub({ config, log, foreground, replaces, signal: stopping.signal, onStop })
  const settling = settle()
  const reason = await stopped
  clearInterval(settling)
  log.info({ reason }, 'hub stops')
  await hub.close()
  // A client starts another by itself; a supervisor does so only after a failure.
  const isFailure = FAILURES.has(reason) || (foreground && reason === TOKEN_CHANGED)
  return isFailure ? HUB_EXIT.failed : 0
}

/** Becomes small once the start is over. */
function settle(): NodeJS.Timeout {
  const { tick } = createSettling()
  const timer = setInterval(() => tick() && clearInterval(timer), 1_000)
  return timer
}

function toElsewhere(url: string, args: string[]): string {
  const verb = ['migrate', 'backup', 'restore'].find((one) => args.includes(`--${one}`))
  return verb
    ? `The mail of this machine is at the hub at ${url}: run "claude-peers ${verb}" on that hub's machine.`
    : `The hub of this machine is ${url}: start it there, not here.`
}

function toExitCode(cause: Error): number {
  if (cause instanceof ClaimedError) return say(cause.message, HUB_EXIT.claimed)
  if (cause instanceof NewerDatabaseError) return say(cause.message, HUB_EXIT.newerDatabase)
  if (cause instanceof ConfigError) return say(cause.message, HUB_EXIT.badConfig)
  if (cause instanceof ListenError) return say(cause.message, HUB_EXIT.cannotListen)
  if (OF_THE_DATABASE.some((kind) => cause instanceof kind)) {
    return say(cause.message, HUB_EXIT.failed)
  }
  return say(`The hub failed: ${cause.message}`, HUB_EXIT.failed)
}

function say(message: string, code: number): number {
  process.stderr.write(`claude-peers: ${shortenPaths(escapeControls(message), toPaths().home)}\n`)
  return code
}
