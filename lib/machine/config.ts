import { hostname } from 'node:os'
import { isLoopback, ownAddresses, toBareHost, toUrlHost } from './address.ts'
import { explainFile, explainVariables } from './config-trouble.ts'
import { parseJson, readIfThere } from './files.ts'
import { toPaths, type Paths } from './paths.ts'
import {
  ANY,
  DAY_MS,
  DEFAULT_EXPIRE_AFTER_MS,
  DEFAULT_PORT,
  environmentShape,
  fileShape,
  hasName,
  SETTINGS,
  VARIABLE,
  type Setting,
  type Settings,
} from './settings.ts'

export { DEFAULT_PORT, VARIABLES } from './settings.ts'

const DEFAULT_BIND = '127.0.0.1'

/** The settings in force: environment over `~/.claude-peers.json` over defaults. */
export type Config = {
  paths: Paths
  port: number
  /** The address that the hub listens on, in its one spelling; `any` is every address of the machine. */
  bind: string
  database: string
  /** The hub to connect to; a local one is started when it does not run. */
  brokerUrl: string
  /** True when the hub is not the one that this machine would start: it is never started, stopped or replaced. */
  remote: boolean
  /** The token of this machine at another machine's hub, or the shared secret of a fleet; a local hub makes its own. */
  token: string | undefined
  /** The label of this machine in addresses. */
  host: string
  /** More names by which other machines call the hub. */
  hosts: string[]
  /**
   * How long mail waits before it expires, in ms: at the hub, whose own setting counts, and in the spool of this machine.
   */
  expireAfterMs: number
  /** How the hub tells the person of mail that stays unread. */
  notify: Notify
  /** Where each value comes from. */
  origins: Record<Setting, Origin>
}

export type Origin = 'environment' | 'file' | 'default'

/**
 * `notify_command` in the file, `CLAUDE_PEERS_NOTIFY_COMMAND` in the environment: `desktop` when neither is set, `off`
 * for `"off"` (in the file also `""`), else a command line for the shell of the hub's machine, such as
 * `curl -d "$CLAUDE_PEERS_NOTIFY_TEXT" ntfy.sh/my-topic`. What it is told comes in its environment and, as JSON, on its
 * standard input: see apps/hub/tell.ts.
 */
export type Notify = 'desktop' | 'off' | { command: string }

/** Settings that cannot be used; the message names each, where it stands and what it may be. It quotes no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** Reads the settings. Throws ConfigError for a file or variables that cannot be used: a typo is never ignored. */
export function readConfig(env: NodeJS.ProcessEnv = process.env, home?: string): Config {
  const paths = toPaths(home ?? (env['HOME'] || undefined))
  const problems: string[] = []
  const file = readConfigFile(paths.config, problems)
  const own = readEnvironment(env, problems)
  if (problems.length > 0) throw new ConfigError(problems.join(' '))
  const given: Settings = { ...file, ...own }
  const { port = DEFAULT_PORT, bind = DEFAULT_BIND, broker_url: brokerUrl } = given
  const host = given.host ?? toLabel(hostname())
  const hosts = given.hosts ?? []
  const remote = brokerUrl !== undefined && !isOwnHub(brokerUrl, { bind, port, names: [host, ...hosts] })
  return {
    paths,
    port,
    bind,
    database: given.database ?? paths.database,
    brokerUrl: remote ? brokerUrl : toOwnUrl(bind, port),
    remote,
    token: given.token,
    host,
    hosts,
    expireAfterMs: toMs(given.expire_after_days),
    notify: toNotify(given.notify_command),
    origins: toOrigins(file, own),
  }
}

const toMs = (days: number | undefined) => (days === undefined ? DEFAULT_EXPIRE_AFTER_MS : days * DAY_MS)

/** A time of whole days, as its setting has it. */
export const toDays = (ms: number): number => ms / DAY_MS

/** The same settings, as if no hub of another machine were configured: for the hub that this machine runs itself. */
export function toLocal(config: Config): Config {
  return { ...config, remote: false, brokerUrl: toOwnUrl(config.bind, config.port) }
}

/** A hub that listens for others listens on this machine's loopback as well. */
function toOwnUrl(bind: string, port: number): string {
  return `http://${isLoopback(bind) ? toUrlHost(bind) : DEFAULT_BIND}:${port}`
}

function toOrigins(file: Settings, own: Settings): Config['origins'] {
  const toOrigin = (setting: Setting): Origin => {
    if (own[setting] !== undefined) return 'environment'
    return file[setting] === undefined ? 'default' : 'file'
  }
  return Object.fromEntries(SETTINGS.map((setting) => [setting, toOrigin(setting)])) as Config['origins']
}

/** What this machine calls itself; a hub is started with it as a setting. */
function toLabel(name: string): string {
  const label = name.split('.')[0] ?? ''
  return hasName(label) ? label : 'localhost'
}

function toNotify(setting: string | undefined): Notify {
  if (setting === undefined) return 'desktop'
  const command = setting.trim()
  return command === '' || command === 'off' ? 'off' : { command }
}

function readEnvironment(env: NodeJS.ProcessEnv, problems: string[]): Settings {
  // An empty variable is one that is not set.
  const given = SETTINGS.flatMap((setting) =>
    env[VARIABLE[setting]] ? [[setting, env[VARIABLE[setting]]]] : [],
  )
  const parsed = environmentShape.safeParse(Object.fromEntries(given))
  if (parsed.success) return parsed.data
  problems.push(...explainVariables(parsed.error))
  return {}
}

function readConfigFile(path: string, problems: string[]): Settings {
  const text = readConfigText(path)
  if (text.trim() === '') return {}
  const value = parseJson(text)
  const parsed = fileShape.safeParse(value)
  if (!parsed.success || hasDuplicate(text, value as object)) problems.push(...explainFile(text))
  return parsed.data ?? {}
}

/** JSON lets the last of two equal keys win in silence. Settings are flat: every key in the text is one of its own. */
function hasDuplicate(text: string, value: object): boolean {
  const strings = text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:?)/g)
  return [...strings].filter(([, colon]) => colon).length !== Object.keys(value).length
}

function readConfigText(path: string): string {
  try {
    // Some editors begin a file with a byte order mark.
    return (readIfThere(path) ?? '').replace(/^\uFEFF/, '')
  } catch (cause) {
    throw new ConfigError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`)
  }
}

/** Whether a URL is where a hub of this machine listens; another port may be the end of a tunnel. */
function isOwnHub(given: string, own: { bind: string; port: number; names: string[] }): boolean {
  const url = new URL(given)
  if (url.protocol !== 'http:' || Number(url.port || 80) !== own.port) return false
  const host = toBareHost(url)
  const machine = hostname().toLowerCase()
  const names = [own.bind, machine, machine.split('.')[0], ...own.names.map((name) => name.toLowerCase())]
  return isLoopback(host) || names.includes(host) || (own.bind === ANY && ownAddresses().includes(host))
}
