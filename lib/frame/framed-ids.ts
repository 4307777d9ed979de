/** One frame as we render it, from the first character of what carries it; bodies cannot hold these tags. */
const FRAME = /^<peer-mail network="claude-peers">\n([^]*?)\n<\/peer-mail>/
const MESSAGE = /^<peer-message id="(\d{1,15})"(?: [a-z_]+="[^"]*")+>$/gm

/**
 * The ids of the messages in a text that is a frame of ours; none when the text only contains one, as somebody's words
 * may. Whether the text is injected context at all is for the caller to know.
 */
export function toFramedIds(text: string): number[] {
  const inner = FRAME.exec(text)?.[1]
  return inner === undefined ? [] : Array.from(inner.matchAll(MESSAGE), ([, id]) => Number(id))
}
