import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createBuckets } from '../../apps/hub/bucket.ts'
import { limitConnections } from '../../apps/hub/connections.ts'
import { createRefusals } from '../../apps/hub/refusals.ts'
import { createThrottle, MAX_WRONG } from '../../apps/hub/throttle.ts'

const MINUTE = 60_000
const clock = () => {
  const time = { ms: 1_000_000 }
  return { time, now: () => time.ms }
}

describe('wrong tokens', () => {
  const fail = (throttle: ReturnType<typeof createThrottle>, source: string, times: number) => {
    for (let time = 0; time < times; time++) throttle.noteWrong(source)
  }

  test('shut their source out from the tenth on, until the minute of the first is over', () => {
    const { time, now } = clock()
    const throttle = createThrottle({ now })
    fail(throttle, 'a', 1)
    time.ms += 15_000
    fail(throttle, 'a', MAX_WRONG - 2)
    expect(throttle.waitOf('a')).toBe(0)
    fail(throttle, 'a', 1)
    expect(throttle.waitOf('a')).toBe(45)
    expect(throttle.waitOf('b')).toBe(0)
    time.ms += 44_999
    expect(throttle.waitOf('a')).toBe(1)
    fail(throttle, 'a', 1_000)
    time.ms += 1
    expect(throttle.waitOf('a')).toBe(0)
    fail(throttle, 'a', MAX_WRONG)
    expect(throttle.waitOf('a')).toBe(60)
  })

  test('from ever so many sources are remembered in a bounded memory', () => {
    const throttle = createThrottle()
    for (let source = 0; source < 30_000; source++) {
      throttle.noteWrong(`wrong ${source}`)
      throttle.noteRight(`right ${source}`)
    }
    expect(throttle.sources()).toBeLessThanOrEqual(20_000)
    expect(throttle.isTrusted('right 29999')).toBe(true)
    expect(throttle.isTrusted('right 0')).toBe(false)
  })
})

describe('requests of a machine', () => {
  test('are 1,000 at once, and then 200 a second', () => {
    const { time, now } = clock()
    const buckets = createBuckets({ now })
    const made = () => {
      let count = 0
      while (buckets.take('a') === 0) count++
      return count
    }
    expect(made()).toBe(1_000)
    time.ms += 1_000
    expect(made()).toBe(200)
    time.ms += 100
    expect(made()).toBe(20)
    time.ms += 3_600_000
    expect(made()).toBe(1_000)
    expect(buckets.take('b')).toBe(0)
  })

  test('that come as one batch count each, and are taken whole or not at all', () => {
    const { time, now } = clock()
    const buckets = createBuckets({ now })
    for (const _ of [1, 2, 3]) expect(buckets.take('a', 256)).toBe(0)
    expect(buckets.take('a', 256)).toBe(1)
    expect(buckets.take('a', 232)).toBe(0)
    expect(buckets.take('a', 256)).toBe(2)
    time.ms -= 5_000
    expect(buckets.take('a')).toBe(1)
  })

  test('of machines that rest take no memory', () => {
    const { time, now } = clock()
    const buckets = createBuckets({ now })
    for (let machine = 0; machine < 1_000; machine++) buckets.take(`machine ${machine}`)
    time.ms += 1_000
    buckets.take('one more')
    expect(buckets.size()).toBe(1)
  })
})

describe('the log of refusals', () => {
  function openLog() {
    const { time, now } = clock()
    const lines: Record<string, unknown>[] = []
    const log = pino(
      { base: null, timestamp: false },
      { write: (line: string) => lines.push(JSON.parse(line)) },
    )
    return { time, lines, refusals: createRefusals({ log, now }) }
  }

  test('has one line a minute for a source, which counts what came since', () => {
    const { time, lines, refusals } = openLog()
    refusals.note('a', 401, 'no token')
    for (let time = 0; time < 5; time++) refusals.note('a', 401, 'no token')
    for (let time = 0; time < 3; time++) refusals.note('a', 429, 'too many')
    expect(lines).toEqual([{ level: 40, status: 401, from: 'a', msg: 'no token' }])
    time.ms += MINUTE
    refusals.tell()
    expect(lines.slice(1)).toEqual([
      { level: 40, from: 'a', refused: { 401: 5, 429: 3 }, msg: 'more of the same was refused' },
    ])
    refusals.note('a', 401, 'no token')
    time.ms += MINUTE
    refusals.note('a', 403, 'another')
    time.ms += MINUTE
    refusals.tell()
    expect(lines.slice(2)).toMatchObject([{ refused: { 401: 1 } }, { refused: { 403: 1 } }])
    time.ms += MINUTE
    refusals.tell()
    refusals.note('a', 401, 'no token')
    expect(lines.slice(4)).toMatchObject([{ status: 401, msg: 'no token' }])
    refusals.close()
  })

  test('has the lines of a thousand sources a minute at most, and says the rest at the end', () => {
    const { lines, refusals } = openLog()
    for (let source = 0; source < 5_000; source++) refusals.note(`source ${source}`, 401, 'no token')
    expect(lines).toHaveLength(1_001)
    refusals.close()
    expect(lines.at(-1)).toMatchObject({ from: 'others', refused: { 401: 3_999 } })
  })
})

describe('connections', () => {
  class FakeSocket extends EventEmitter {
    destroyed = false
    readonly localAddress = '100.64.0.1'
    readonly remoteAddress: string
    constructor(remoteAddress: string) {
      super()
      this.remoteAddress = remoteAddress
    }
    destroy() {
      this.destroyed = true
      this.emit('close')
    }
  }
  function open() {
    const noted: [string, number][] = []
    const accept = limitConnections({ note: (from, status) => noted.push([from, status]) })
    const connect = (from: string) => {
      const socket = new FakeSocket(from)
      accept(socket as unknown as Socket)
      return socket
    }
    return { noted, connect }
  }

  test('of one address beyond 256 are ended, and one that closes makes room', () => {
    const { noted, connect } = open()
    const first = Array.from({ length: 256 }, () => connect('100.64.0.7'))
    expect(first.some((socket) => socket.destroyed)).toBe(false)
    expect(connect('100.64.0.7').destroyed).toBe(true)
    expect(noted).toEqual([['100.64.0.7', 429]])
    expect(connect('100.64.0.8').destroyed).toBe(false)
    first[0]!.emit('close')
    expect(connect('100.64.0.7').destroyed).toBe(false)
    expect(connect('100.64.0.7').destroyed).toBe(true)
  })

  test('of this machine are not counted', () => {
    const { connect } = open()
    for (const from of ['127.0.0.1', '100.64.0.1']) {
      const all = Array.from({ length: 300 }, () => connect(from))
      expect(all.some((socket) => socket.destroyed)).toBe(false)
    }
  })
})
