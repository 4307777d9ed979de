import { hostname } from 'node:os'
import { isAbsolute } from 'node:path'
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
  /** True when the hub is not the one that this machine would start: it is never started, stopped or replaced. */
  remote: boolean
  /** The shared secret of a fleet; a local hub makes its own token. */
  token: string | undefined
  /** The label of this machine in addresses. */
  host: string
  /** How the hub tells the person of mail that stays unread. */
  notify: Notify
}

/**
 * `notify_command` in the file, `CLAUDE_PEERS_NOTIFY_COMMAND` in the environment: `desktop` when neither is set, `off`
 * for `"off"` (in the file also `""`), else a command line for the shell of the hub's machine, such as
 * `curl -d "$CLAUDE_PEERS_NOTIFY_TEXT" ntfy.sh/my-topic`. What it is told comes in its environment and, as JSON, on its
 * standard input: see apps/hub/tell.ts.
 */
export type Notify = 'desktop' | 'off' | { command: string }

/** A setting that cannot be used; the message names it, where it stands and what it may be. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

const text = z.string().min(1)
const url = z.url({ protocol: /^https?$/, error: `use a URL such as http://studio:${DEFAULT_PORT}` })
/** What fits into a header. */
const token = text.regex(/^[\x21-\x7e]{1,512}$/, 'use up to 512 letters, digits and signs, without spaces')

const fileShape = z.strictObject({
  bind: text.optional(),
  broker_url: url.optional(),
  token: token.optional(),
  host: text.optional(),
  notify_command: z.string().max(4_096).optional(),
})

const environmentShape = z.object({
  CLAUDE_PEERS_PORT: text
    .regex(/^\d+$/, 'use a port number from 1 to 65535')
    .transform(Number)
    .refine((port) => port <= 65_535, 'use a port number from 1 to 65535')
    .optional(),
  // The hub runs in the root directory, and its starters anywhere.
  CLAUDE_PEERS_DB: text.refine(isAbsolute, 'use an absolute path').optional(),
  CLAUDE_PEERS_BIND: text.optional(),
  CLAUDE_PEERS_BROKER_URL: url.optional(),
  CLAUDE_PEERS_TOKEN: token.optional(),
  CLAUDE_PEERS_HOST: text.optional(),
  CLAUDE_PEERS_NOTIFY_COMMAND: text.max(4_096).optional(),
})

/** Reads the settings. Throws ConfigError for a file or variable that cannot be used: a typo is never ignored. */
export function readConfig(env: NodeJS.ProcessEnv = process.env, home?: string): Config {
  const paths = toPaths(home ?? (env['HOME'] || undefined))
  const file = readConfigFile(paths.config)
  const own = readEnvironment(env)
  const port = own.CLAUDE_PEERS_PORT ?? DEFAULT_PORT
  const bind = own.CLAUDE_PEERS_BIND ?? file.bind ?? DEFAULT_BIND
  const brokerUrl = own.CLAUDE_PEERS_BROKER_URL ?? file.broker_url
  return {
    paths,
    port,
    bind,
    database: own.CLAUDE_PEERS_DB ?? paths.database,
    brokerUrl: (brokerUrl ?? `http://${bind.includes(':') ? `[${bind}]` : bind}:${port}`).replace(/\/+$/, ''),
    remote: brokerUrl !== undefined && !isOwnHub(brokerUrl, { bind, port }),
    token: own.CLAUDE_PEERS_TOKEN ?? file.token,
    host: own.CLAUDE_PEERS_HOST ?? file.host ?? (hostname().split('.')[0] || 'localhost'),
    notify: toNotify(own.CLAUDE_PEERS_NOTIFY_COMMAND ?? file.notify_command),
  }
}

function toNotify(setting: string | undefined): Notify {
  if (setting === undefined) return 'desktop'
  const command = setting.trim()
  return command === '' || command === 'off' ? 'off' : { command }
}

function readEnvironment(env: NodeJS.ProcessEnv): z.infer<typeof environmentShape> {
  // An empty variable is one that is not set.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = environmentShape.safeParse(given)
  if (parsed.success) return parsed.data
  throw new ConfigError(`${describe(parsed.error)}.`)
}

function readConfigFile(path: string): z.infer<typeof fileShape> {
  const parsed = fileShape.safeParse(parseConfig(path))
  if (parsed.success) return parsed.data
  throw new ConfigError(
    `${path}: ${describe(parsed.error)}. It may hold ${Object.keys(fileShape.shape).join(', ')}.`,
  )
}

function parseConfig(path: string): unknown {
  const content = readConfigText(path)
  if (content.trim() === '') return {}
  try {
    return JSON.parse(content)
  } catch (cause) {
    // The rest of the message quotes the file, which may hold a token.
    const place = /line \d+ column \d+/.exec((cause as Error).message)?.[0]
    throw new ConfigError(`${path} is not valid JSON${place ? ` (${place})` : ''}. Mend it or remove it.`)
  }
}

function readConfigText(path: string): string {
  try {
    return readIfThere(path) ?? ''
  } catch (cause) {
    throw new ConfigError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`)
  }
}

const describe = ({ issues }: z.ZodError) =>
  issues.map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': ')).join('; ')

/** Whether a URL is where a hub of this machine listens; another port may be the end of a tunnel. */
function isOwnHub(given: string, { bind, port }: { bind: string; port: number }): boolean {
  const { hostname: host, port: givenPort, protocol } = new URL(given)
  const name = host.replaceAll(/^\[|\]$/g, '')
  const isOwnHost = [bind, 'localhost', '::1'].includes(name) || /^127(\.\d+){3}$/.test(name)
  return isOwnHost && protocol === 'http:' && Number(givenPort || 80) === port
}
