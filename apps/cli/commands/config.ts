import { statSync } from 'node:fs'
import { isLoopback } from '#machine/address'
import { readConfig, toDays, type Config } from '#machine/config'
import { toLines } from '#machine/config-trouble'
import { readIfThere } from '#machine/files'
import { ANY, SETTINGS, VARIABLE, type Setting } from '#machine/settings'
import { printJson, printLines } from '../print.ts'

type Value = string | number | string[] | null

/** Shows which mode this machine is in and every setting with where it comes from; secrets are masked. */
export function config({ json }: { json?: boolean }): void {
  const found = readConfig()
  const values = toValues(found)
  const origins = toOrigins(found)
  const warnings = toWarnings(found)
  const mode = describeMode(found)
  if (json) {
    const settings = SETTINGS.map((name) => [name, { value: values[name], origin: origins[name] }])
    return printJson({ mode, file: found.paths.config, settings: Object.fromEntries(settings), warnings })
  }
  printLines([
    mode,
    ...SETTINGS.map((name) => `${name.padEnd(17)}  ${toWords(values[name])}  (${origins[name]})`),
    ...warnings,
  ])
}

function describeMode({ remote, brokerUrl, bind, port }: Config): string {
  if (remote) return `joined: hub at ${brokerUrl}`
  if (isLoopback(bind)) return `local: own hub at ${brokerUrl}`
  const address = bind.includes(':') ? `[${bind}]` : bind
  const place = bind === ANY ? `port ${port} of every address` : `http://${address}:${port}`
  return `hub for other machines at ${place}, and for this one at ${brokerUrl}`
}

function toValues(config: Config): Record<Setting, Value> {
  const { bind, port, database, brokerUrl, host, hosts, notify, token, expireAfterMs } = config
  return {
    bind,
    port,
    database,
    broker_url: brokerUrl,
    token: token === undefined ? null : mask(token),
    host,
    hosts,
    notify_command: typeof notify === 'string' ? notify : maskCommand(notify.command),
    expire_after_days: toDays(expireAfterMs),
  }
}

/** Enough to tell two secrets apart, and of a short one nothing. */
const mask = (secret: string) => `${secret.length < 16 ? '' : secret.slice(0, 4)}…`

/** A command often carries a secret, as the name of a topic: only the program is shown. */
const maskCommand = (command: string) => `${/^[\w./~-]{1,64}(?=\s|$)/.exec(command)?.[0] ?? ''} …`.trim()

function toWords(value: Value): string {
  if (value === null) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ')
  return String(value)
}

function toOrigins({ origins, paths }: Config): Record<Setting, string> {
  const lines = toLines(readIfThere(paths.config) ?? '')
  const words = (setting: Setting) => {
    if (origins[setting] === 'environment') return `environment ${VARIABLE[setting]}`
    return origins[setting] === 'file' ? `~/.claude-peers.json line ${lines.get(setting)}` : 'default'
  }
  return Object.fromEntries(SETTINGS.map((setting) => [setting, words(setting)])) as Record<Setting, string>
}

function toWarnings({ origins, paths }: Config): string[] {
  if (origins.token !== 'file' || process.platform === 'win32') return []
  const mode = statSync(paths.config).mode & 0o077
  return mode === 0 ? [] : [`Others can read the token in ${paths.config}. Run: chmod 600 ${paths.config}`]
}
