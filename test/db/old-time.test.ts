import { expect, test } from 'vitest'
import { toPastTime } from '../../lib/db/old-time.ts'

const now = Date.UTC(2026, 10, 20, 9)
const past = Date.UTC(2026, 10, 20, 8, 30)

test.for([
  ['2026-11-20T08:30:00.000Z', past],
  ['2026-11-20T09:30:00+01:00', past],
  ['2026-11-20 08:30:00', past],
  ['2026-11-20 08:30', past],
  [past, past],
  [past / 1_000, past],
  [String(past), past],
  [String(past / 1_000), past],
  ['2036-01-01T00:00:00Z', now],
  ['1969-12-31T00:00:00Z', undefined],
  ['', undefined],
  ['soon', undefined],
  [0, undefined],
  [-1, undefined],
  [Number.NaN, undefined],
  [null, undefined],
  [undefined, undefined],
  [Buffer.from('2026'), undefined],
] as const)('%o is read as %s', ([value, time]) => {
  expect(toPastTime(value, now)).toBe(time)
})
