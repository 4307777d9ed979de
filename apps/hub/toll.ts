/**
 * What the frames of one WebSocket cost. A frame is paid for before it is parsed, by its size, whatever it holds; the price
 * includes its first call. A client that goes on when it cannot pay, or sends nothing but what is no call, is hung up on.
 */
import { MAX_BODY_BYTES } from './body.ts'

export type Toll = ReturnType<typeof createToll>

/** Each started 64 KiB costs as much as a call: the largest frame takes as long to parse as 16 calls to answer. */
const BYTES = 64 * 1_024
/** A client that is a little too fast is answered with the reason; one with so many more than it may make is not. */
const MOST_UNPAID = 256
/** A program with a fault repeats itself; more frames without a call than this in a row are no accident. */
const MOST_IDLE = 20

/** The price of what has so many bytes, in calls. */
export const toPrice = (bytes: number): number => 1 + Math.floor(Math.min(bytes, MAX_BODY_BYTES) / BYTES)

/** Makes the toll of one connection. `take` takes calls from what its source may make; without it all are free. */
export function createToll(take: ((cost: number) => number) | undefined) {
  let [paid, unpaid, idle] = [0, 0, 0]
  return {
    /** Charges a frame. False: hang up. */
    charge(bytes: number): boolean {
      if (!take) return true
      const isPaid = take(toPrice(bytes)) === 0
      if (isPaid) paid++
      unpaid = isPaid ? Math.max(0, unpaid - 1) : unpaid + 1
      return unpaid <= MOST_UNPAID
    },
    /** Notes whether a frame held a call, which its price then covers. False: hang up. */
    noteCall(isCall: boolean): boolean {
      idle = isCall ? 0 : idle + 1
      if (!isCall && paid > 0) paid--
      return idle <= MOST_IDLE
    },
    /** Whether one more call may be made. */
    mayCall: take && ((): boolean => (paid > 0 ? paid-- > 0 : take(1) === 0)),
  }
}
