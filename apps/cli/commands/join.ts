import { basename } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import semver from 'semver'
import { readConfig, toLocal, type Config } from '#machine/config'
import { FILE } from '#machine/config-trouble'
import { VERSION } from '#machine/package'
import { readProject } from '#machine/project'
import { describeOlder } from '#machine/remote-hub'
import { VARIABLE } from '#machine/settings'
import { UsageError } from '../exit.ts'
import { enterHub, type Joined } from '../network/enter.ts'
import { changeSettings, type SettingsChange } from '../network/settings-file.ts'
import { countKeptFor } from '../kept.ts'
import { toSetting } from '../network/usage.ts'
import { countWaiting, toWaiting } from '../network/mail.ts'
import { printJson, printLines } from '../print.ts'

export type JoinOptions = { host?: string; json?: boolean }

/**
 * Makes this machine a client of the hub at a URL: the hub is asked first, and only when it has taken the token are URL,
 * token and label written to `~/.claude-peers.json`. The same line again changes nothing.
 */
export async function join(
  typedUrl: string,
  typedToken: string | undefined,
  options: JoinOptions,
): Promise<void> {
  const before = readConfig()
  const url = toSetting('broker_url', typedUrl, 'the URL')
  const wanted = options.host === undefined ? undefined : toSetting('host', options.host, '--host')
  const token = toToken(await readToken(typedToken))
  if (!readConfig({ ...process.env, [VARIABLE.broker_url]: url }).remote) {
    throw new Error(
      `${url} is this machine's own hub, and its sessions use it already: run this on another machine.`,
    )
  }
  const given = wanted ?? (before.origins.host === 'default' ? undefined : before.host)
  const joined = await enterHub({ url, token }, { config: before, host: given })
  if (joined.taken) {
    throw new Error(
      `Another machine of that network is called ${joined.host}, so that addresses would be ambiguous: nothing was written. Run the same line again with --host <another name>.`,
    )
  }
  const isFixed = wanted === undefined && before.origins.host === 'environment'
  const change = await changeSettings(before, {
    broker_url: url,
    token,
    ...(!isFixed && { host: wanted === undefined && given !== undefined ? given : joined.host }),
  })
  const notes = [...toNotes(url, joined), ...toOverrides(), ...(await toOldMail(before, url))]
  if (options.json) return printJson({ url, host: joined.host, hub: joined.hub, ...change, notes })
  const project = await readProject(process.cwd())
  printLines([...describe(url, joined, { change, root: project.root }), ...notes])
}

function describe(
  url: string,
  { hub, host }: Joined,
  { change, root }: { change: SettingsChange; root: string },
) {
  const name = basename(root).toLowerCase()
  const example = /^[a-z0-9-]+$/.test(name) ? `, such as ${name}@${host} for one in this directory` : ''
  return [
    `Joined the hub of ${hub.host} at ${url} (${hub.version}).`,
    `Sessions of this machine are called <name>@${host}${example}.`,
    change.changed
      ? `Written to ${FILE}${change.backup ? `; what was there is in ${FILE}.backup` : ''}.`
      : `${FILE} said so already: nothing was written.`,
    'Sessions that run now stay with the hub that they have until they are restarted.',
  ]
}

function toNotes(url: string, { hub }: Joined): string[] {
  if (semver.gt(VERSION, hub.version)) return [describeOlder(url, hub.version)]
  if (semver.lt(VERSION, hub.version))
    return [`The hub at ${url} is newer (${hub.version}): update this machine.`]
  return []
}

/** Variables win over what was written. */
function toOverrides(): string[] {
  const { origins } = readConfig()
  return (['broker_url', 'token', 'host'] as const)
    .filter((setting) => origins[setting] === 'environment')
    .map(
      (setting) =>
        `${VARIABLE[setting]} is set here and wins over the file: unset it to use what the file says.`,
    )
}

/** Mail that was sent at the hub of before is not carried over. */
async function toOldMail(before: Config, url: string): Promise<string[]> {
  const count = await countWaiting(toLocal(before), () => true)
  const own =
    count > 0
      ? [`${toWaiting(count)} at this machine's own hub: sessions that are still there get them.`]
      : []
  if (!before.remote || before.brokerUrl === url) return own
  const kept = countKeptFor(before, before.brokerUrl)
  return [
    ...own,
    `Until now this machine was with the hub at ${before.brokerUrl}: mail that waits there stays there.`,
    ...(kept > 0
      ? [`${toWaiting(kept)} on this computer for that hub to answer, and go there if you join it again.`]
      : []),
  ]
}

async function readToken(typed: string | undefined): Promise<string> {
  if (typed !== undefined && typed !== '-') return typed
  if (typed === undefined && process.stdin.isTTY) {
    throw new UsageError('There is no token: paste the whole line that "claude-peers hub invite" printed.')
  }
  const piped = (await readAll(process.stdin)).trim()
  if (piped === '')
    throw new UsageError('Standard input was empty: pipe the token in, or add it after the URL.')
  return piped
}

/** A token of one machine has a form, so that half a line is found out here; a shared one has none. */
function toToken(typed: string): string {
  const token = toSetting('token', typed, 'the token')
  if (!token.startsWith('m_') || /^m_[0-9a-z]{13}\.[\w-]{43}$/.test(token)) return token
  throw new UsageError(
    'the token is not whole: paste the line that "claude-peers hub invite" printed once more.',
  )
}
