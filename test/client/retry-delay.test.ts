import { expect, test, vi } from 'vitest'
import { LONGEST_RETRY_MS, toRetryDelay } from '../../lib/client/retry-delay.ts'

test('the first attempt is at once, the pauses double up to their longest, and each is anything below', () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(1)
  const delays = (longest?: number) =>
    Array.from({ length: 9 }, (_, attempt) => toRetryDelay(attempt, longest))
  expect(delays(LONGEST_RETRY_MS.remote)).toEqual([
    0, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000,
  ])
  expect(delays().at(-1)).toBe(5_000)
  random.mockReturnValue(0)
  expect(delays(LONGEST_RETRY_MS.remote)).toEqual(Array.from({ length: 9 }, () => 0))
  random.mockRestore()
})
