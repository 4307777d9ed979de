import { escapeControls, escapeJson } from '#frame/escape'
import { toOwnWords } from './own-words.ts'

/** Writes lines of our own for a person: paths and commands as this person can use them. */
export function printLines(lines: string[]): void {
  printWords(lines.map((line) => toOwnWords(line)))
}

/** Writes lines that hold words of others, as they are. Nothing in them steers the terminal or hides words. */
export function printWords(lines: string[]): void {
  process.stdout.write(lines.map((line) => `${escapeControls(line)}\n`).join(''))
}

/** Writes one JSON value for a program. */
export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value, 2)}\n`)
}

/** JSON that is as harmless on a terminal as to a program. */
export function toJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, undefined, indent))
}

/** Resolves when everything printed so far has left this process; rejects when it cannot. */
export function flushed(): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write('', (cause) => (cause ? reject(cause) : resolve()))
  })
}

/** Before each line of a body, so that none can pass for the head of another message. */
const MARGIN = '│ '

/** A body as a terminal may show it, line by line. */
export const toBodyLines = (body: string): string[] =>
  escapeControls(body)
    .split('\n')
    .map((line) => MARGIN + line)

/** Text of others on one line of a terminal, at most `length` characters. */
export function toOneLine(text: string, length: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > length ? `${line.slice(0, length - 1)}…` : line
}
