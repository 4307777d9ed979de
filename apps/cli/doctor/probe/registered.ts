import { asWord, isObject, type Json } from '../../install/document.ts'
import { serverName } from '../../install/server.ts'
import { serversOf, type RegisteredHook, type Scene } from '../scene.ts'
import type { StartParams } from '../../commands/probe-session.ts'

/** The command of the MCP server exactly as this user's client has it, its variables replaced as the client does. */
export function toServerCommand({ client, env }: Scene): StartParams | undefined {
  const entry = serversOf(client.value ?? {})[serverName]
  if (!isObject(entry) || typeof entry.command !== 'string') return undefined
  const expand = (word: Json) => expandVariables(asWord(word), env)
  const variables = isObject(entry.env) ? Object.entries(entry.env) : []
  return {
    command: expand(entry.command),
    args: (Array.isArray(entry.args) ? entry.args : []).map(expand),
    env: Object.fromEntries(variables.map(([name, value]) => [name, expand(value)])),
  }
}

/** Our hooks that the client would run after a tool call and wait for. */
export function toToolHooks({ hooks }: Scene): RegisteredHook[] {
  return hooks.filter(({ event, matcher, async }) => {
    return event === 'PostToolUse' && !async && ['', '*', 'Bash'].includes(matcher)
  })
}

/** `${NAME}` and `${NAME:-default}`, as the client reads them in a registration. */
function expandVariables(text: string, env: NodeJS.ProcessEnv): string {
  return text.replaceAll(
    /\$\{(\w+)(?::-([^}]*))?\}/g,
    (whole, name: string, fallback?: string) => env[name] ?? fallback ?? whole,
  )
}
