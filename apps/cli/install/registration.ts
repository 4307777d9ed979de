import { isDeepStrictEqual } from 'node:util'
import { runClient, type Client } from './client.ts'
import { isObject, openDocument, toText, type Document, type Json, type JsonObject } from './document.ts'
import type { Change } from './report.ts'
import { serverName, withEntry, type ServerPlan } from './server.ts'
import { writeText } from './write.ts'

/** Writes a value over a document that differs from it, in the bytes of the original where it is that again. */
export async function settle(document: Document, value: JsonObject, original?: Document): Promise<void> {
  const isOriginal = original !== undefined && isDeepStrictEqual(original.value, value)
  const text = (isOriginal ? original.text : undefined) ?? toText(document, value)
  if (isDeepStrictEqual(document.value, value) && !isOriginal) return
  // The client makes its files 0600; they may hold keys.
  const mode = document.text === undefined ? 0o600 : undefined
  if (text !== document.text) await writeText(document.file, text, mode)
}

/**
 * Carries out a plan through the client where there is one: it owns this file, and its running sessions write to it.
 * What the client refused or cannot express (an entry with its own `env` would show in `ps`) is edited into the file.
 */
export async function register(
  plan: ServerPlan,
  { file, client, original }: { file: string; client: Client | undefined; original?: Document },
): Promise<Change[]> {
  const failures = client ? await throughClient(plan, client) : []
  const document = await openDocument(file)
  await settle(document, withEntry(document, plan), original)
  return failures
}

async function throughClient({ before, after }: ServerPlan, client: Client): Promise<Change[]> {
  const commands: string[][] = []
  if (before !== undefined) commands.push(['mcp', 'remove', '--scope', 'user', serverName])
  const words = toWords(after)
  if (words) commands.push(['mcp', 'add', '--scope', 'user', '--transport', 'stdio', serverName, ...words])
  for (const command of commands) {
    const reason = await runClient(client, command)
    if (reason === undefined) continue
    const detail = `claude ${command.join(' ')}: ${reason}; the file was edited instead`
    return [{ file: client.file, action: 'fail', detail }]
  }
  return []
}

/**
 * The words of an entry that `claude mcp add` can express whole, else undefined. Values of variables are left out, as they
 * would show in `ps`: all of them must be empty.
 */
function toWords(entry: Json | undefined): string[] | undefined {
  if (!isObject(entry)) return undefined
  const { type = 'stdio', command, args = [], env = {}, ...others } = entry
  const variables = isObject(env) ? Object.entries(env) : []
  const isEmpty = variables.every(([, value]) => value === '')
  const plain = type === 'stdio' && isEmpty && Object.keys(others).length === 0
  const words = Array.isArray(args) ? [command, ...args] : []
  if (!plain || words.length === 0 || !words.every((word) => typeof word === 'string')) return undefined
  return [...variables.flatMap(([name]) => ['--env', `${name}=`]), '--', ...words]
}
