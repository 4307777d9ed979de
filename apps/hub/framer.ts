import type { Page } from '#router/feed'
import type { Asked } from './line.ts'
import { toTextFrame } from './text-frame.ts'

/** Frames of one page are kept for so many requests: the ids of stock clients are small numbers, the same for many. */
const MAX_FRAMES = 16

/** Makes frames of pages. A page that many share is made text once, and bytes once for all with the same request id. */
export function createFramer() {
  let last: { page: Page<unknown>; results: string[]; frames: Map<string, Buffer> } | undefined

  return {
    /** The events of a page as the answers to a request, in one buffer. */
    toFrames(page: Page<unknown>, { id, jsonrpc }: Asked): Buffer {
      if (last?.page !== page) last = { page, results: page.events.map(toResult), frames: new Map() }
      const { results, frames } = last
      const head = JSON.stringify({ id, jsonrpc }).slice(0, -1)
      const found = frames.get(head)
      if (found) return found
      const all = results.map((result) => toTextFrame(`${head},"result":${result}}`))
      const frame = all.length === 1 ? all[0]! : Buffer.concat(all)
      if (frames.size < MAX_FRAMES) frames.set(head, frame)
      return frame
    },
    /** Keeps nothing of what it made. */
    forget: () => void (last = undefined),
  }
}

/** What tRPC makes of a tracked event. */
const toResult = ([id, data]: Page<unknown>['events'][number]): string =>
  JSON.stringify({ type: 'data', data: { id, data }, id })
