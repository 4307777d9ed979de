/**
 * Making another agent's words inert. A body may hold anything, also what imitates the client's own frames: it must
 * not be able to close ours, open one of the client's, or hide text from a human who reads along. Code must survive
 * it: only what reads as such a tag loses its bracket, not every `<`.
 */
import { replaceInvisible } from './invisible.ts'
import { disarmTags } from './tags.ts'

/** Most texts are this alone: no rule below applies to it, but for a bracket's. To compile the rules is half of a frame's cost. */
const PLAIN = /^[\t\n -~]*$/
/** Strings of a terminal (OSC, DCS, SOS, PM, APC; ECMA-48 8.3). One without its end loses only its introducer. */
const TERMINAL_STRING =
  /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])(?:[^\u0007\u001b\u0080-\u009f\n]*(?:\u0007|\u001b\\|\u009c))?/gu
/** Control sequences (CSI), and the short escapes. */
const TERMINAL_SEQUENCE = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?/gu
/** Control characters but for line feed and tab; line and paragraph separators are made line feeds before. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu

/** A text as a terminal may show it: nothing steers the terminal or hides words. Ordinary text passes unchanged. */
export function escapeControls(text: string): string {
  if (PLAIN.test(text)) return text
  const printed = text
    .toWellFormed()
    .replaceAll(TERMINAL_STRING, '')
    .replaceAll(TERMINAL_SEQUENCE, '')
    .replaceAll(/\r\n?|[\u2028\u2029\u0085]/gu, '\n')
    .replaceAll(CONTROL, '')
  return replaceInvisible(printed)
}

/** A body as it may stand inside the frame: the same, and no frame's tag. Code passes unchanged. */
export function escapeBody(text: string): string {
  if (PLAIN.test(text) && !text.includes('<')) return text
  return disarmTags(escapeControls(text))
}

/** JSON as a terminal may show it: what would steer it or hide words is written as `\u` and a number. */
export function escapeJson(json: string): string {
  return replaceInvisible(json.replaceAll(CONTROL, toCodes), toCodes).replaceAll(/[\u2028\u2029]/g, toCodes)
}

function toCodes(text: string): string {
  const codes = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index))
  return codes.map((code) => `\\u${code.toString(16).padStart(4, '0')}`).join('')
}

/** A body on one line, for a summary or a path outside quotes. */
export function escapeLine(text: string): string {
  return escapeBody(text).replaceAll(/\s+/g, ' ').trim()
}

/** A body between double quotes of a tag. */
export function escapeAttribute(text: string): string {
  return escapeBody(text)
    .replaceAll(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('"', '&quot;')
}
