/**
 * Making another agent's words inert. A body may hold anything, also what imitates the client's own frames: it must
 * not be able to close ours, open one of the client's, or hide text from a human who reads along. Code must survive
 * it: only what reads as such a tag loses its bracket, not every `<`.
 */
import { isFrameTag } from './tags.ts'

/** Most texts are this alone: no rule below applies to it, but for a bracket's. To compile the rules is half of a frame's cost. */
const PLAIN = /^[\t\n -~]*$/
/** Strings of a terminal (OSC, DCS, SOS, PM, APC; ECMA-48 8.3). One without its end loses only its introducer. */
const TERMINAL_STRING =
  /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])(?:[^\u0007\u001b\u0080-\u009f\n]*(?:\u0007|\u001b\\|\u009c))?/gu
/** Control sequences (CSI), and the short escapes. */
const TERMINAL_SEQUENCE = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?/gu
/** Control characters but for line feed and tab; line and paragraph separators are made line feeds before. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu
/** Characters that show nothing or turn the direction of text: a known way to smuggle words past a reader. */
const INVISIBLE =
  /\u034f|[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu
/** Emoji and some scripts need joiners and variation selectors, at most two in a row; more would carry bytes. */
const JOINERS = /(?:\u200c|\u200d|[\ufe00-\ufe0f]){3,}/gu
/** A bracket (also its wider twins) that a name follows, whatever space or slash is between. */
const BRACKET =
  /[<＜﹤]((?:[\s/\\!?|／＼！？]|\u200c|\u200d|[\ufe00-\ufe0f])*)([^\s<>＜＞﹤﹥"'`=/\\(){}[\],;|!?*&#]{1,96})/gu

/** A text as a terminal may show it: nothing steers the terminal or hides words. Ordinary text passes unchanged. */
export function escapeControls(text: string): string {
  if (PLAIN.test(text)) return text
  return text
    .toWellFormed()
    .replaceAll(TERMINAL_STRING, '')
    .replaceAll(TERMINAL_SEQUENCE, '')
    .replaceAll(/\r\n?|[\u2028\u2029\u0085]/gu, '\n')
    .replaceAll(CONTROL, '')
    .replaceAll(INVISIBLE, '')
    .replaceAll(JOINERS, (run) => run.slice(0, 2))
}

/** A body as it may stand inside the frame: the same, and no frame's tag. Code passes unchanged. */
export function escapeBody(text: string): string {
  if (PLAIN.test(text) && !text.includes('<')) return text
  return escapeControls(text).replaceAll(
    BRACKET,
    (found, lead: string, name: string, at: number, whole: string) => {
      const end = at + found.length
      const candidate = { lead, name, before: whole.charAt(at - 1), after: whole.slice(end, end + 64) }
      return isFrameTag(candidate) ? `&lt;${found.slice(1)}` : found
    },
  )
}

/** JSON as a terminal may show it: what would steer it or hide words is written as `\u` and a number. */
export function escapeJson(json: string): string {
  return json
    .replaceAll(CONTROL, toCodes)
    .replaceAll(INVISIBLE, toCodes)
    .replaceAll(/[\u2028\u2029]/g, toCodes)
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
