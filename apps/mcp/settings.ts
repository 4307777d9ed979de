/**
 * Which hub a session belongs to: the one that it started with. When the machine joins another's hub meanwhile, the
 * session stays with the hub of this machine until its Claude process ends, also over a restart of this server (`/mcp`
 * reconnect): its name, its mail and its conversations are there. A note beside its card remembers it, since a server
 * that is asked to end takes the card away.
 */
import { sessionFile } from '#machine/cards'
import { readConfig, type Config } from '#machine/config'
import { parseJson, readIfThere, writePrivate } from '#machine/files'
import { makePrivateDir } from '#machine/paths'
import type { ClaudeProcess } from './identity.ts'

/** Reads the settings that hold for a session. Throws ConfigError. */
export function readSessionConfig(
  { sessions, claude }: { sessions: string; claude: ClaudeProcess },
  env: NodeJS.ProcessEnv = process.env,
): Config {
  const config = readConfig(env)
  const path = sessionFile(sessions, claude.pid, 'hub')
  if (!config.remote) {
    remember(path, { sessions, start: claude.start, url: config.brokerUrl })
    return config
  }
  const url = env['CLAUDE_PEERS_BROKER_URL'] ? undefined : recall(path, claude.start)
  if (url === undefined) return config
  const former = readConfig({ ...env, CLAUDE_PEERS_BROKER_URL: url })
  return former.remote ? config : former
}

function remember(
  path: string,
  { sessions, ...note }: { sessions: string; start?: string | undefined; url: string },
) {
  try {
    makePrivateDir(sessions)
    writePrivate(path, JSON.stringify(note))
  } catch {
    // Where no card can be written either: only the restart of this server would have asked for it.
  }
}

function recall(path: string, start: string | undefined): string | undefined {
  try {
    const note = parseJson(readIfThere(path)) as { start?: unknown; url?: unknown } | undefined
    return note?.start === start && typeof note?.url === 'string' ? note.url : undefined
  } catch {
    return undefined
  }
}
