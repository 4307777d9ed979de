'use strict'
/** Loaded before a program of Node: its wall clock is ahead by SKEWED_CLOCK_MS. Timers and file times are as they were. */
const ahead = Number(process.env['SKEWED_CLOCK_MS'])
const now = Date.now
class SkewedDate extends Date {
  constructor(...given) {
    if (given.length === 0) super(now() + ahead)
    else super(...given)
  }
  static now() {
    return now() + ahead
  }
}
globalThis.Date = SkewedDate
