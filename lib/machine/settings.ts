/** The settings that there are: what each may be, and the same for its variable in the environment. */
import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { isWildcard, toBareHost, toHost, toUrlHost } from './address.ts'

/** Where the hub listens when nobody says otherwise. */
export const DEFAULT_PORT = 7899
/** How long mail waits when nobody says otherwise. */
export const DAY_MS = 24 * 60 * 60_000
export const DEFAULT_EXPIRE_AFTER_MS = 7 * DAY_MS
/** The `bind` that asks for every address of the machine; a wildcard address is refused. */
export const ANY = 'any'

const A_PORT = 'use a port number from 1 to 65535, or 0 for any free one'
const A_URL = `use a URL such as http://studio:${DEFAULT_PORT}`
const A_BIND = 'use one address of this machine, such as 100.64.0.1, without a port'
const A_HOST = 'use a name with a letter from a to z or a digit'
const A_TOKEN = 'use up to 512 letters, digits and signs, without spaces'
const NAMES = 'use a list of names or addresses, such as ["studio.example.ts.net"]'
const A_COMMAND = 'use a command of up to 4096 characters, or "off"'
const A_TIME = 'use whole days, 1 to 365'
const A_PATH = 'use an absolute path'

const toText = (error: string) => z.string(error).min(1, error)

/** Where to listen, in its one spelling. */
const bind = toText(A_BIND).transform((given, context) => {
  if (given === ANY) return given
  const host = given === '*' ? '0.0.0.0' : toHost(given)
  if (host !== undefined && !isWildcard(host)) return host
  const message =
    host === undefined
      ? A_BIND
      : `that is every network; use one address of this machine, or "${ANY}" if you want that`
  context.issues.push({ code: 'custom', message, input: given })
  return z.NEVER
})

/** Where the hub is, without slashes at the end and without the last dot of a MagicDNS name. */
const brokerUrl = toText(A_URL).transform((given, context) => {
  const url = URL.canParse(given) ? new URL(given) : undefined
  const message = toUrlTrouble(url)
  if (url && message === undefined) {
    const port = url.port && `:${url.port}`
    return `${url.protocol}//${toUrlHost(toBareHost(url))}${port}${url.pathname.replace(/\/+$/, '')}`
  }
  context.issues.push({ code: 'custom', message: message!, input: given })
  return z.NEVER
})

function toUrlTrouble(url: URL | undefined): string | undefined {
  if (url?.protocol === 'ws:' || url?.protocol === 'wss:')
    return `write ${url.protocol === 'ws:' ? 'http' : 'https'}:// here; the WebSocket goes to the same place`
  if (!url || !/^https?:$/.test(url.protocol) || toBareHost(url) === '') return A_URL
  if (url.username || url.password)
    return 'leave out the name and password before the @; the secret is "token"'
  if (url.search || url.hash) return 'leave out what follows the ? or #'
  return undefined
}

/** What fits into a header. */
const token = z.string(A_TOKEN).regex(/^[\x21-\x7e]{1,512}$/, A_TOKEN)
/** A label of which something is left in an address, where it has the letters of a name. */
const host = toText(A_HOST).refine(hasName, A_HOST)
const name = z.string(NAMES).transform((given, context) => {
  const found = toHost(given)
  if (found !== undefined && !isWildcard(found)) return found
  context.issues.push({
    code: 'custom',
    message: 'use a name or address without port or scheme',
    input: given,
  })
  return z.NEVER
})
const hosts = z.array(name, NAMES).max(64, 'use up to 64 names')
const port = z.int(A_PORT).min(0, A_PORT).max(65_535, A_PORT)
// The hub runs in the root directory, and its starters anywhere.
const database = toText(A_PATH).refine(isAbsolute, A_PATH)
const expireAfterDays = z.int(A_TIME).min(1, A_TIME).max(365, A_TIME)
const notifyCommand = z.string(A_COMMAND).max(4_096, A_COMMAND)

/** The keys of `~/.claude-peers.json`. */
export const fileShape = z.strictObject({
  bind: bind.optional(),
  port: port.optional(),
  database: database.optional(),
  broker_url: brokerUrl.optional(),
  token: token.optional(),
  host: host.optional(),
  hosts: hosts.optional(),
  notify_command: notifyCommand.optional(),
  expire_after_days: expireAfterDays.optional(),
})

/** The settings as the file may hold them. */
export type Settings = z.output<typeof fileShape>
export type Setting = keyof Settings

/** The names of all settings, in the order in which they are told. */
export const SETTINGS = Object.keys(fileShape.shape) as Setting[]

/** The variable of each setting. */
export const VARIABLE = {
  bind: 'CLAUDE_PEERS_BIND',
  port: 'CLAUDE_PEERS_PORT',
  database: 'CLAUDE_PEERS_DB',
  broker_url: 'CLAUDE_PEERS_BROKER_URL',
  token: 'CLAUDE_PEERS_TOKEN',
  host: 'CLAUDE_PEERS_HOST',
  hosts: 'CLAUDE_PEERS_HOSTS',
  notify_command: 'CLAUDE_PEERS_NOTIFY_COMMAND',
  expire_after_days: 'CLAUDE_PEERS_EXPIRE_AFTER_DAYS',
} as const satisfies Record<Setting, string>

/** The variables that are settings. */
export const VARIABLES: string[] = Object.values(VARIABLE)

/** The settings as variables hold them: all of them text. */
export const environmentShape = fileShape.extend({
  port: toNumber(A_PORT).pipe(port).optional(),
  expire_after_days: toNumber(A_TIME).pipe(expireAfterDays).optional(),
  hosts: z.string().transform(toList).pipe(hosts).optional(),
})

function toNumber(error: string) {
  return z
    .string()
    .regex(/^\d{1,9}$/, error)
    .transform(Number)
}

/** Names in one variable are separated by commas. */
function toList(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)
}

/** Whether an address can be made of a label. */
export function hasName(label: string): boolean {
  return /[a-z0-9]/i.test(label.normalize('NFKD'))
}
