import { accessSync, constants, existsSync } from 'node:fs'
import { basename, delimiter, isAbsolute, join } from 'node:path'
import semver from 'semver'
import { NODE_RANGE } from '#machine/package'
import { asWord, isObject, type Json } from '../install/document.ts'
import { isOurServer, serverName } from '../install/server.ts'
import { versionOf } from './client.ts'
import { INSTALL, ok, quote, toFix, unknown, type Line } from './line.ts'
import { findPlugin, serversOf, type Scene } from './scene.ts'

const about = 'MCP server'

/** Whether the MCP server is registered for this user, and can be started. */
export async function checkServer(scene: Scene): Promise<Line> {
  const { client, env, places } = scene
  if (client.trouble !== undefined) return toFix(about, client.trouble)
  const entry = serversOf(client.value)[serverName]
  const plugin = findPlugin(scene)
  if (entry === undefined && plugin) return unknown(about, `that of the plugin ${plugin}`)
  if (entry === undefined) return toFix(about, `none is registered in ${places.config}.`, INSTALL)
  if (isPredecessor(entry))
    return toFix(about, `that of claude-peers v2 is registered in ${places.config}.`, INSTALL)
  const { command, args } = isObject(entry) ? entry : {}
  if (typeof command !== 'string')
    return toFix(about, `its registration in ${places.config} has no command.`, INSTALL)
  const program = findProgram(command, env)
  if (!program) return toFix(about, `${command}, which is to run it, is not there.`, INSTALL)
  const words = Array.isArray(args) ? args : []
  const missing = words.filter(isMissingFile)
  if (missing.length > 0) return toFix(about, `${missing.map(asWord).join(', ')} is not there.`, INSTALL)
  if (!isOurServer(entry))
    return ok(about, `registered by hand: ${[command, ...words].map(asWord).join(' ')}`)
  const node = semver.coerce(await versionOf(program, env))
  if (!node || !semver.satisfies(node, NODE_RANGE)) {
    return toFix(
      about,
      `${program} is ${node ? `Node ${node.version}` : 'no Node'}; it needs ${NODE_RANGE}.`,
      INSTALL,
    )
  }
  return ok(about, `${words.map(asWord).join(' ')} with Node ${node.version}`)
}

/** Whether what v2 registered under another name, or for this directory alone, stands beside ours. */
export function checkOtherServers({ client, cwd }: Scene): Line[] {
  const projects = client.value?.projects
  const project = isObject(projects) ? projects[cwd] : undefined
  const local = isObject(project) ? serversOf(project)[serverName] : undefined
  const old = Object.entries(serversOf(client.value ?? {})).filter(
    ([name, entry]) => name !== serverName && isPredecessor(entry),
  )
  return [
    ...old.map(([name]) =>
      toFix(
        about,
        `claude-peers v2 is still registered as ${name}.`,
        `claude mcp remove --scope user ${quote(name)}`,
      ),
    ),
    ...(local === undefined
      ? []
      : [
          toFix(
            about,
            `${cwd} has a registration of its own, which takes the place of yours.`,
            `claude mcp remove --scope local ${serverName}`,
          ),
        ]),
  ]
}

/** v2 was `bun …/claude-peers…/server.ts`. */
function isPredecessor(entry: Json | undefined): boolean {
  if (!isObject(entry) || typeof entry.command !== 'string' || !Array.isArray(entry.args)) return false
  const isBun = /^bun(\.exe)?$/.test(basename(entry.command))
  return (
    isBun && entry.args.some((arg) => typeof arg === 'string' && /claude-peers.*[/\\]server\.ts$/.test(arg))
  )
}

function isMissingFile(word: Json): boolean {
  return typeof word === 'string' && isAbsolute(word) && !existsSync(word)
}

/** A program as the shell of this environment finds it. */
export function findProgram(command: string, env: NodeJS.ProcessEnv): string | undefined {
  const directories = (env['PATH'] ?? '').split(delimiter).filter(Boolean)
  const files = isAbsolute(command) ? [command] : directories.map((directory) => join(directory, command))
  return files.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
