import { readFile } from 'node:fs/promises'
import { refusal } from './error.ts'

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | JsonObject

/** A JSON object; the order of its keys is part of what we keep. */
export type JsonObject = { [key: string]: Json }

/** A JSON file as it was read; `text` is undefined when there is no such file yet. */
export type Document = { file: string; text: string | undefined; value: JsonObject }

/** Whether a value is an object with keys: neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A JSON value as a word: a string as it is. */
export function asWord(value: Json | undefined): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** Names the JSON type of a value for an error message. */
export function kindOf(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** Reads a JSON object; a file that is missing is empty, one that is unreadable or not JSON is an InstallError. */
export async function openDocument(file: string): Promise<Document> {
  const text = await readText(file)
  if (text === undefined) return { file, text, value: {} }
  const value = parse(file, text.replace(/^\uFEFF/, ''))
  if (isObject(value)) return { file, text, value }
  throw refusal(`${file}:1:1 holds ${kindOf(value)} where an object belongs`, 'correct it')
}

/** Writes a value in the manner of the document: its indentation, line ends, byte order mark and last newline. */
export function toText({ text, value: before }: Document, value: JsonObject): string {
  if (text === undefined) return `${JSON.stringify(value, undefined, 2)}\n`
  const body = text.trim()
  const compact = Object.keys(before).length > 0 && JSON.stringify(before) === body
  const indent = compact ? '' : (/^\{\r?\n([ \t]+)"/.exec(body)?.[1] ?? '  ')
  const lines = JSON.stringify(value, undefined, indent)
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  return (
    (text.startsWith('\uFEFF') ? '\uFEFF' : '') +
    lines.replaceAll('\n', eol) +
    text.slice(text.trimEnd().length)
  )
}

async function readText(file: string): Promise<string | undefined> {
  try {
    // A lenient decoder would turn foreign bytes into U+FFFD, and our write would make that final.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(file))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    const reason = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : message
    throw refusal(`${file} cannot be read: ${reason}`, 'repair it', { cause: error })
  }
}

function parse(file: string, text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    const { message } = error as SyntaxError
    const before = text.slice(0, positionOf(text, message)).split('\n')
    const place = `${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`
    // The engine's message ends in an excerpt of the file, which may hold secrets: only its reason is repeated.
    const reason = message.replace(/( in JSON at position|, (\.\.\.)?")[^]*$/, '')
    const next = text.trim() === '' ? 'delete the empty file' : 'repair it'
    throw refusal(`${place} is not valid JSON (${reason})`, next)
  }
}

/** Where the parser stopped: V8 gives no position with "Unexpected token", so the shortest prefix that says so is sought. */
function positionOf(text: string, message: string): number {
  const given = /at position (\d+)/.exec(message)?.[1]
  if (given !== undefined) return Number(given)
  if (!message.startsWith('Unexpected token')) return text.length
  let [low, high] = [0, text.length]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (failsOnToken(text.slice(0, middle))) high = middle
    else low = middle
  }
  return low
}

function failsOnToken(text: string): boolean {
  try {
    JSON.parse(text)
    return false
  } catch (error) {
    return (error as SyntaxError).message.startsWith('Unexpected token')
  }
}
