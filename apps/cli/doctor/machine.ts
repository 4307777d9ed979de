/** The checks of this machine's own files: settings, modes, machine id, session cards. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { listCards } from '#machine/cards'
import { VARIABLES } from '#machine/config'
import { NODE_RANGE, PACKAGE_ROOT, VERSION } from '#machine/package'
import { readIfThere } from '#machine/files'
import { parseMachineId } from '#machine/machine-id'
import { canSee, isKnownToHaveEnded } from '#machine/processes'
import { ok, quote, toFix, unknown, type Line } from './line.ts'
import { readObject, type Scene } from './scene.ts'

/** Which installation and which Node this is; an older Node is refused before the doctor runs. */
export function checkInstallation(): Line {
  return ok(
    'installation',
    `claude-peers ${VERSION} at ${PACKAGE_ROOT}, Node ${process.versions.node} (needs ${NODE_RANGE})`,
  )
}

/** What the hub tells the user's notification command, which may be what runs the doctor. */
const TOLD = /^CLAUDE_PEERS_NOTIFY_(?:TITLE|TEXT|COUNT)$/

/** Whether the settings can be used, and where they come from. */
export async function checkSettings({ config, env, paths }: Scene): Promise<Line> {
  if (config.trouble !== undefined) return toFix('settings', config.trouble)
  const names = Object.keys((await readObject(paths.config)).value ?? {})
  const variables = Object.keys(env).filter((name) => name.startsWith('CLAUDE_PEERS_') && env[name])
  const strange = variables.filter((name) => !VARIABLES.includes(name) && !TOLD.test(name))
  if (strange.length > 0) {
    const say = `nothing reads ${strange.join(', ')}: unset it, or take one of ${VARIABLES.join(', ')}.`
    return toFix('settings', say)
  }
  const sources = [
    ...(names.length > 0 ? [`${names.join(', ')} from ${paths.config}`] : []),
    ...(variables.length > 0 ? [`${variables.join(', ')} from the environment`] : []),
  ]
  return ok('settings', sources.length > 0 ? sources.join('; ') : 'the defaults')
}

/** Whether nobody else can read what is private: token, keys, mail. */
export async function checkModes({ config, paths }: Scene): Promise<Line> {
  const about = 'private files'
  if (process.platform === 'win32') return unknown(about, 'this system has no such modes')
  const files = [
    paths.dir,
    ...filesIn(paths.dir),
    ...filesIn(paths.sessions),
    ...(await whereTokens([paths.config, `${paths.config}.backup`])),
    ...['', '-wal', '-shm'].map((suffix) => (config.value?.database ?? paths.database) + suffix),
  ]
  const found = files.filter((file) => modeOf(file) !== undefined)
  if (found.length === 0) return unknown(about, 'there are none yet')
  const open = found.filter((file) => (modeOf(file)! & 0o077) !== 0)
  if (open.length === 0) return ok(about, `${found.length}, for you alone`)
  const run = `chmod go-rwx ${open.map(quote).join(' ')}`
  return toFix(about, `others can open ${open.join(', ')}.`, run)
}

/** Settings without a token may be read by everybody. */
async function whereTokens(files: string[]): Promise<string[]> {
  const values = await Promise.all(files.map(readObject))
  return files.filter((_, index) => 'token' in (values[index]?.value ?? {}))
}

/** Whether this machine has an id; it is made when a session or a command first needs it. */
export function checkMachineId({ paths }: Scene): Line {
  const about = 'machine id'
  const text = readIfThere(paths.machineId)
  if (text === undefined) return unknown(about, 'none yet; it is made when it is first needed')
  const id = parseMachineId(text)
  if (id !== undefined) return ok(about, id)
  return toFix(
    about,
    `${paths.machineId} holds none; a new one is made when it is gone.`,
    `rm ${quote(paths.machineId)}`,
  )
}

/** The sessions that take part now, each with its MCP server. */
export function checkSessions({ paths }: Scene): Line[] {
  const about = 'sessions'
  const files = filesIn(paths.sessions).filter((file) => file.endsWith('.json'))
  const cards = listCards(paths.sessions)
  const live = cards.filter(({ claude }) => canSee(claude) && !isKnownToHaveEnded(claude))
  const cut = live.filter(({ mcp }) => isKnownToHaveEnded(mcp))
  const elsewhere = cards.filter(({ claude }) => !canSee(claude)).length
  const stale = files.length - live.length - elsewhere
  const names = live.map((card) => card.name).join(', ')
  const rest = [
    stale > 0 ? `; ${stale} stale ${stale === 1 ? 'card' : 'cards'}, which the next session sweeps` : '',
    elsewhere > 0
      ? `; ${elsewhere} in other containers, or on the host of this one, which cannot be looked at from here`
      : '',
  ].join('')
  const all = live.length > 0 ? ok(about, `${names}${rest}`) : unknown(about, `none runs${rest}`)
  return [
    all,
    ...cut.map(({ name, claude }) =>
      toFix(
        about,
        `${name} (pid ${claude.pid}) has lost its MCP server: type /mcp in that session and reconnect it.`,
      ),
    ),
  ]
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name))
  } catch {
    return []
  }
}

function modeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mode
}
