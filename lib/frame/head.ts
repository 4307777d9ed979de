import { escapeBody } from './escape.ts'

/** The beginning of a body: what is shown of it, and how many characters of the body as it was sent that covers. */
export type Head = { shown: string; taken: number }

/** A beginning that fills less than this part of its limit is worth a search for a longer one. */
const FULL = 0.9

/** A whole body. */
export const toWhole = (text: string): Head => ({ shown: escapeBody(text), taken: text.length })

/**
 * A beginning that shows at most `limit` characters. The cut is made in the body as it was sent, never between the
 * halves of a character: what is read on from `taken` continues it without a gap, whatever escaping did to lengths.
 */
export function toHead(text: string, limit: number): Head {
  const most = Math.max(0, limit)
  const first = cutAt(text, Math.min(most, text.length))
  if (first.shown.length <= most && first.shown.length >= most * FULL) return first
  // Escaping made it longer or much shorter: halve the range until the cut is found.
  let best: Head = { shown: '', taken: 0 }
  for (let low = 0, high = text.length; low < high;) {
    const middle = Math.ceil((low + high) / 2)
    const head = cutAt(text, middle)
    if (head.shown.length <= most) {
      best = head
      low = middle
    } else {
      high = middle - 1
    }
  }
  return best
}

function cutAt(text: string, length: number): Head {
  const code = text.charCodeAt(length)
  const taken = length > 0 && code >= 0xdc_00 && code <= 0xdf_ff ? length - 1 : length
  return { shown: escapeBody(text.slice(0, taken)), taken }
}
