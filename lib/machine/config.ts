import { hostname } from 'node:os'
import { z } from 'zod'
import { readIfThere } from './files.ts'
import { toPaths, type Paths } from './paths.ts'

/** Where the hub listens when nobody says otherwise. */
export const DEFAULT_PORT = 7899
const DEFAULT_BIND = '127.0.0.1'

/** The settings in force: environment over `~/.claude-peers.json` over defaults. */
export type Config = {
  paths: Paths
  port: number
  bind: string
  database: string
  /** The hub to connect to; a local one is started when it does not run. */
  brokerUrl: string
  /** True when the hub is on another machine: it is never started, stopped or replaced from here. */
  remote: boolean
  /** The shared secret of a fleet; a local hub makes its own token. */
  token: string | undefined
  /** The label of this machine in addresses. */
  host: string
}

/** A setting that cannot be used; the message names it, where it stands and what it may be. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

const fileShape = z.strictObject({
  bind: z.string().min(1).optional(),
  broker_url: z.url({ protocol: /^https?$/ }).optional(),
  token: z.string().min(1).optional(),
  host: z.string().min(1).optional(),
})

/** Reads the settings. Throws ConfigError for a file or variable that cannot be used: a typo is never ignored. */
export function readConfig(env: NodeJS.ProcessEnv = process.env, home?: string): Config {
  const paths = toPaths(home ?? env['HOME'])
  const file = readConfigFile(paths.config)
  const port = toPort(env['CLAUDE_PEERS_PORT'])
  const bind = env['CLAUDE_PEERS_BIND'] || file.bind || DEFAULT_BIND
  const brokerUrl = env['CLAUDE_PEERS_BROKER_URL'] || file.broker_url
  if (env['CLAUDE_PEERS_BROKER_URL'] && !URL.canParse(env['CLAUDE_PEERS_BROKER_URL'])) {
    throw new ConfigError(`CLAUDE_PEERS_BROKER_URL is not a URL: use http://host:${DEFAULT_PORT}`)
  }
  return {
    paths,
    port,
    bind,
    database: env['CLAUDE_PEERS_DB'] || paths.database,
    brokerUrl: (brokerUrl || `http://${bind.includes(':') ? `[${bind}]` : bind}:${port}`).replace(/\/+$/, ''),
    remote: brokerUrl !== undefined && !isOwnAddress(brokerUrl, bind),
    token: env['CLAUDE_PEERS_TOKEN'] || file.token,
    host: env['CLAUDE_PEERS_HOST'] || file.host || hostname().split('.')[0] || 'localhost',
  }
}

function readConfigFile(path: string): z.infer<typeof fileShape> {
  const text = readIfThere(path)
  if (text === undefined || text.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(`${path} is not valid JSON (${(cause as Error).message}). Mend it or remove it.`)
  }
  const parsed = fileShape.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) =>
    [issue.path.join('.'), issue.message].filter(Boolean).join(': '),
  )
  throw new ConfigError(
    `${path}: ${problems.join('; ')}. It may hold ${Object.keys(fileShape.shape).join(', ')}.`,
  )
}

function isOwnAddress(url: string, bind: string): boolean {
  const name = new URL(url).hostname.replaceAll(/^\[|\]$/g, '')
  return [bind, 'localhost', '::1'].includes(name) || name.startsWith('127.')
}

function toPort(text: string | undefined): number {
  if (!text) return DEFAULT_PORT
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new ConfigError(`CLAUDE_PEERS_PORT is "${text}": use a port number from 1 to 65535`)
}
