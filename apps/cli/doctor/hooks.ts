import { accessSync, constants, existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { PACKAGE_ROOT, VERSION } from '#machine/package'
import { hookCommands, isPredecessorHook } from '../install/hooks.ts'
import { asWord, isObject } from '../install/document.ts'
import { hooksIn } from '../install/group.ts'
import { INSTALL, ok, toFix, unknown, type Line } from './line.ts'
import { findPlugin, readObject, type RegisteredHook, type Scene } from './scene.ts'

const about = 'hooks'

/** Whether every hook is registered as this version wants it, and what it runs is there. */
export async function checkHooks(scene: Scene): Promise<Line[]> {
  const { settings, hooks, places } = scene
  if (settings.trouble !== undefined) return [toFix(about, settings.trouble)]
  const wanted = hookCommands({ node: process.execPath, root: PACKAGE_ROOT })
  if (hooks.length === 0) {
    const plugin = findPlugin(scene)
    if (plugin) return [unknown(about, `those of the plugin ${plugin}`)]
    return [toFix(about, `none is registered in ${places.settings}.`, INSTALL)]
  }
  const lines: Line[] = []
  for (const [event, groups] of Object.entries(wanted)) {
    const own = hooks.filter((hook) => hook.event === event)
    const count = groups.flatMap((group) => group.hooks).length
    if (own.length === 0) lines.push(toFix(about, `that of ${event} is not registered.`, INSTALL))
    else if (own.length < count) lines.push(toFix(about, `one of ${event} is not registered.`, INSTALL))
  }
  const missing = [...new Set(hooks.flatMap(({ command }) => filesOf(command)))].filter(
    (file) => !isReadable(file),
  )
  for (const file of missing) {
    const trouble = existsSync(file) ? 'cannot be read' : 'is not there'
    lines.push(toFix(about, `${file}, which they run, ${trouble}.`, INSTALL))
  }
  if (lines.length === 0 && hooks.some((hook) => isOutdated(hook)))
    lines.push(toFix(about, 'they are not as this version writes them.', INSTALL))
  return lines.length > 0 ? lines : [ok(about, Object.keys(wanted).join(', '))]
}

/** Whether hooks and MCP server come from an installation of this version; another checkout of it will do. */
export async function checkPlaces({ hooks, client }: Scene): Promise<Line[]> {
  const server = JSON.stringify(client.value?.mcpServers ?? {})
  const files = [...hooks.flatMap(({ command }) => filesOf(command)), ...server.split('"')]
  const roots = files.flatMap((file) => /^(.*)[/\\]dist[/\\](?:hook\.cjs|mcp\.js)$/.exec(file)?.[1] ?? [])
  const others = [...new Set(roots)].filter((root) => root !== PACKAGE_ROOT && existsSync(root))
  const lines: Line[] = []
  for (const root of others) {
    const { value } = await readObject(join(root, 'package.json'))
    const version = asWord(value?.version)
    const says = `that at ${root} is registered, version ${version}`
    const name = 'registered installation'
    lines.push(
      version === VERSION ? ok(name, says) : toFix(name, `${says}, and this is ${VERSION}.`, INSTALL),
    )
  }
  return lines
}

/** Whether hooks of claude-peers v2 are still there. */
export function checkPredecessor({ settings }: Scene): Line[] {
  const hooks = settings.value?.hooks
  const groups = isObject(hooks) ? Object.values(hooks).flat() : []
  const old = groups.flatMap(hooksIn).filter(isPredecessorHook)
  return old.length > 0 ? [toFix(about, 'those of claude-peers v2 are registered as well.', INSTALL)] : []
}

/** The files that a command names in single quotes, as the install writes them. */
function filesOf(command: string): string[] {
  const words = [...command.matchAll(/'((?:[^']|'\\'')*)'/g)].map(([, word]) =>
    word!.replaceAll(`'\\''`, "'"),
  )
  return words.filter(isAbsolute)
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Whether an install of this version, with the same Node and root, would write another hook. */
function isOutdated({ event, command, async }: RegisteredHook): boolean {
  const files = filesOf(command)
  const root = files
    .map((file) => /^(.*)[/\\]dist[/\\](?:hook\.cjs|waiter\.sh)$/.exec(file)?.[1])
    .find(Boolean)
  if (!root) return false
  const groups = hookCommands({ node: files[0]!, root })[event] ?? []
  const isSame = (hook: { command: string; async?: true }) =>
    hook.command === command && (hook.async ?? false) === async
  return !groups.some((group) => group.hooks.some(isSame))
}
