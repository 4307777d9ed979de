import { readConfig, type Config } from '#machine/config'
import { toPaths, type Paths } from '#machine/paths'
import { asWord, isObject, openDocument, type JsonObject } from '../install/document.ts'
import { isOurHook } from '../install/hooks.ts'
import { serverName } from '../install/server.ts'
import { hooksIn } from '../install/group.ts'
import { toPlaces, type Places } from '../install/place.ts'

/** A thing that was read, or why it could not be. */
export type Read<T> = { value: T; trouble?: undefined } | { value?: undefined; trouble: string }

/** One of our hooks as a settings file has it. */
export type RegisteredHook = {
  event: string
  matcher: string
  command: string
  async: boolean
  timeoutMs: number
}

/** What the checks look at; read once, and nothing of it is changed. */
export type Scene = {
  env: NodeJS.ProcessEnv
  cwd: string
  paths: Paths
  places: Places
  /** The settings of claude-peers. */
  config: Read<Config>
  /** The client's settings of this user. */
  settings: Read<JsonObject>
  /** The client's own file, which has the MCP servers of this user. */
  client: Read<JsonObject>
  /** Our hooks in the settings of this user. */
  hooks: RegisteredHook[]
}

/** Looks at everything that more than one check needs. */
export async function openScene(env: NodeJS.ProcessEnv, cwd: string): Promise<Scene> {
  const paths = toPaths(env['HOME'] || undefined)
  const places = toPlaces(paths.home, env)
  const [settings, client] = await Promise.all([readObject(places.settings), readObject(places.config)])
  return {
    env,
    cwd,
    paths,
    places,
    config: attempt(() => readConfig(env)),
    settings,
    client,
    hooks: findHooks(settings.value ?? {}),
  }
}

/** Reads a JSON object; a file that is missing is an empty one. */
export async function readObject(file: string): Promise<Read<JsonObject>> {
  try {
    return { value: (await openDocument(file)).value }
  } catch (cause) {
    return { trouble: (cause as Error).message }
  }
}

/** Our hooks in a settings file, whatever else it holds. */
export function findHooks({ hooks }: JsonObject): RegisteredHook[] {
  if (!isObject(hooks)) return []
  return Object.entries(hooks).flatMap(([event, groups]) =>
    (Array.isArray(groups) ? groups : []).flatMap((group) =>
      hooksIn(group)
        .filter((hook) => isOurHook(hook) && isObject(hook))
        .map((hook) => {
          const { command, async, timeout } = hook as JsonObject
          return {
            event,
            matcher: isObject(group) && typeof group.matcher === 'string' ? group.matcher : '',
            command: asWord(command),
            async: async === true,
            timeoutMs: (typeof timeout === 'number' ? timeout : 600) * 1_000,
          }
        }),
    ),
  )
}

/** The plugin of ours that this user's settings enable, as `name@marketplace`. */
export function findPlugin({ settings }: Scene): string | undefined {
  const enabled = settings.value?.enabledPlugins
  if (!isObject(enabled)) return undefined
  return Object.keys(enabled).find((name) => name.split('@')[0] === serverName && enabled[name] === true)
}

/** The user's MCP servers by name. */
export function serversOf({ mcpServers }: JsonObject): JsonObject {
  return isObject(mcpServers) ? mcpServers : {}
}

function attempt<T>(work: () => T): Read<T> {
  try {
    return { value: work() }
  } catch (cause) {
    return { trouble: (cause as Error).message }
  }
}
