/**
 * Making another agent's words inert. A body may hold anything, also what imitates the client's own frames: it must
 * not be able to close ours, open one of the client's, or hide text from a human who reads along.
 */

/** Tag names that carry meaning to the model or the client: ours, and those of the harness around it. */
const TAGS = String.raw`peer-mail|peer-message|system|user|human|assistant|function|antml|tool|task|command|local-command|bash-|ide_|hook|important|instructions?|thinking`
/** A bracket (also its full-width twin) that opens or closes such a tag, with anything invisible in between. */
const OPENING = new RegExp(String.raw`[<＜﹤](?=[\s/\\!?\u200c\u200d\ufe0f]*(?:${TAGS}))`, 'giu')
/** CSI, OSC and the other escape sequences of a terminal (ECMA-48). */
const ANSI =
  /[\u001b\u009b](?:\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[[()#;?]*(?:\d{1,4}(?:[;:]\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~])?/gu
/** Control characters but for line feed and tab; line and paragraph separators are made line feeds before. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu
/** Characters that show nothing or turn the direction of text: a known way to smuggle words past a reader. */
const INVISIBLE =
  /[\u00ad\u061c\u115f\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u{e0000}-\u{e0fff}]/gu

/** A body as it may stand inside the frame. Ordinary text and code pass unchanged. */
export function escapeBody(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(ANSI, '')
    .replaceAll(/\r\n?|[\u2028\u2029\u0085]/gu, '\n')
    .replaceAll(CONTROL, '')
    .replaceAll(INVISIBLE, '')
    .replaceAll(OPENING, '&lt;')
}

/** Text of one line between double quotes, such as a directory or a name. */
export function escapeAttribute(text: string): string {
  return escapeBody(text)
    .replaceAll(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('"', '&quot;')
}
