import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { NODE_VARIABLES } from '#machine/environment'
import { isObject, kindOf, type Document, type Json, type JsonObject } from './document.ts'
import { refusal } from './error.ts'
import type { ServerRecord } from './record.ts'
import type { Change } from './report.ts'

/** The name under which the client knows us; its tools are `mcp__claude-peers__…`. */
export const serverName = 'claude-peers'

/** What the user-scope entry is and is to be (undefined: none), and what an emptied `mcpServers` goes back to. */
export type ServerPlan = {
  before: Json | undefined
  after: Json | undefined
  blank?: Json
  changes: Change[]
}

/**
 * The entry that starts the MCP server, in the form in which `claude mcp add` writes it. What is empty in its `env` counts
 * as not set, whatever the client has inherited.
 */
export function toServer({ node, root }: { node: string; root: string }): JsonObject {
  return { type: 'stdio', command: node, args: [join(root, 'dist', 'mcp.js')], env: { ...EMPTY } }
}

const EMPTY = Object.fromEntries(NODE_VARIABLES.map((name) => [name, '']))

/** Plans our registration; `record` is what it takes to undo it, `hadOurs` whether one of ours was there. */
export function planRegistration(
  document: Document,
  wanted: JsonObject,
): ServerPlan & { record: ServerRecord; hadOurs: boolean } {
  const servers = serversOf(document)
  const before = servers[serverName]
  const hadOurs = isOurServer(before)
  // What a user added to our entry (env, a timeout) stays when the checkout moves.
  const env = { ...EMPTY, ...(hadOurs && isObject(before.env) && before.env) }
  const after = hadOurs ? { ...before, command: wanted.command!, args: wanted.args!, env } : wanted
  const record: ServerRecord = { existed: document.text !== undefined }
  const { mcpServers } = document.value
  if (mcpServers === null || (mcpServers !== undefined && Object.keys(servers).length === 0))
    record.blank = mcpServers
  if (before !== undefined && !hadOurs) record.replaced = before
  const action = before === undefined ? 'add' : 'replace'
  return { before, after, changes: toChanges(document, { before, after, action }), record, hadOurs }
}

/** Plans its end and the return of what it replaced; an entry that is not ours stays. */
export function planRemoval(document: Document, record: ServerRecord | undefined): ServerPlan {
  const before = serversOf(document)[serverName]
  const { replaced, blank } = record ?? {}
  const after = before === undefined || isOurServer(before) ? replaced : before
  const action = after === undefined ? 'remove' : 'restore'
  return { before, after, blank, changes: toChanges(document, { before, after, action }) }
}

/** The user configuration with the planned entry; its place among the others is kept. */
export function withEntry(document: Document, { after, blank }: ServerPlan): JsonObject {
  const { [serverName]: _, ...others } = serversOf(document)
  if (after !== undefined) {
    return { ...document.value, mcpServers: { ...serversOf(document), [serverName]: after } }
  }
  if (Object.keys(others).length > 0) return { ...document.value, mcpServers: others }
  const { mcpServers: __, ...rest } = document.value
  return blank === undefined ? rest : { ...document.value, mcpServers: blank }
}

function serversOf({ file, value: { mcpServers } }: Document): JsonObject {
  if (mcpServers === undefined || mcpServers === null) return {}
  if (isObject(mcpServers)) return mcpServers
  throw refusal(`${file}: "mcpServers" is ${kindOf(mcpServers)} where an object belongs`, 'correct it')
}

/** Whether an entry is ours, from this checkout or any other. */
export function isOurServer(entry: Json | undefined): entry is JsonObject {
  if (!isObject(entry) || !Array.isArray(entry.args) || entry.args.length !== 1) return false
  return typeof entry.args[0] === 'string' && /[/\\]dist[/\\]mcp\.js$/.test(entry.args[0])
}

type Turn = { before: Json | undefined; after: Json | undefined; action: Change['action'] }

function toChanges({ file }: Document, { before, after, action }: Turn): Change[] {
  if (isDeepStrictEqual(before, after)) return []
  const turn = [before, after].filter((entry) => entry !== undefined).map(commandLine)
  return [{ file, action, detail: `mcpServers.${serverName}: ${turn.join(' → ')}` }]
}

/** The command of an entry without its `env`, which may hold a token. */
function commandLine(entry: Json): string {
  if (!isObject(entry)) return kindOf(entry)
  const { command, args, url } = entry
  return [command ?? url ?? 'an entry without a command', ...(Array.isArray(args) ? args : [])]
    .map(String)
    .join(' ')
}
