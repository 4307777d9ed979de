import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { createFollowers, type Follower } from '../../apps/hub/followers.ts'
import type { Line } from '../../apps/hub/line.ts'
import { createBell } from '../../lib/db/bell.ts'
import type { Feed, Page } from '../../lib/router/feed.ts'

const FULL = 600 * 1_024

/** A socket that keeps what it is given until it is drained. */
class Socket extends EventEmitter {
  writableLength = 0
  readonly said: string[] = []
  write(frame: Buffer) {
    this.said.push(frame.toString())
  }
}

/** Followers of one topic; each event is a number, and every one is told of all numbers. */
function open() {
  const bell = createBell()
  const failures: unknown[] = []
  const followers = createFollowers((_, cause) => failures.push(cause))
  let last = 0
  const ring = () => {
    last++
    bell.note('topic')
    bell.ring()
  }

  function join(id: string | number, { pageSize = 10, work = () => {} } = {}) {
    const socket = new Socket()
    const client = { readyState: 1, OPEN: 1 }
    const line = { client, socket, followers: new Map(), draining: undefined } as unknown as Line
    let told = last
    let isOpen = false
    const next = (): Page<number> => {
      work()
      const numbers = Array.from({ length: Math.min(pageSize, last - told) }, (_, index) => told + index + 1)
      told += numbers.length
      const events = numbers.map((number) => [`e.${number}`, number]) as unknown as Page<number>['events']
      return { events, more: told < last }
    }
    const feed = {
      open: () => (isOpen = true),
      hear: (wake: () => void) => bell.hear('topic', wake),
      next,
      close: () => (isOpen = false),
    } as unknown as Feed<number>
    const follower: Follower = {
      line,
      id,
      path: 'a.feed',
      feed: undefined,
      unhear: undefined,
      isHeld: false,
      hasEnded: false,
    }
    followers.begin(follower, feed)
    return { follower, socket, client, isOpen: () => isOpen, told: () => told }
  }

  return { bell, followers, failures, ring, join }
}

const microtasks = () => Promise.resolve()
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Everybody is told by then, however little each turn of a busy machine tells. */
async function quiet() {
  for (let turns = 0; turns < 500; turns++) await turn()
}

/** The numbers that a socket was told, under the id of its request. */
const numbers = ({ said }: Socket, id: string | number) =>
  [
    ...said
      .join('')
      .matchAll(
        new RegExp(
          `"id":${JSON.stringify(id)},"result":{"type":"data","data":{"id":"e.\\d+","data":(\\d+)}`,
          'g',
        ),
      ),
  ].map(([, number]) => Number(number))

describe('who follows a feed', () => {
  test('is told before the write that rang is answered', async () => {
    const { ring, join } = open()
    const one = join(1)
    await quiet()
    ring()
    const answered = microtasks()
    await answered
    expect(numbers(one.socket, 1)).toEqual([1])
  })

  test('is told under the id of its own request, whoever else is told the same', async () => {
    const { ring, join } = open()
    const all = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? index % 5 : String(index)))
    const joined = all.map((id) => ({ id, ...join(id) }))
    ring()
    ring()
    await quiet()
    for (const { id, socket } of joined) expect(numbers(socket, id)).toEqual([1, 2])
  })

  test('gets what is new in pages, and between them the others get theirs', async () => {
    const { ring, join } = open()
    const [slow, other] = [join(1, { pageSize: 1 }), join(2)]
    await quiet()
    const order: string[] = []
    slow.socket.write = () => void order.push('slow')
    other.socket.write = () => void order.push('other')
    for (let count = 0; count < 3; count++) ring()
    await quiet()
    expect(order).toEqual(['slow', 'other', 'slow', 'slow'])
  })

  test('is told nothing while its socket is full, and then what is new in one page, once', async () => {
    const { ring, join } = open()
    const one = join(1)
    await quiet()
    one.socket.writableLength = FULL
    for (let count = 0; count < 5; count++) {
      ring()
      await quiet()
    }
    expect(one.told()).toBe(0)
    expect(one.socket.listenerCount('drain')).toBe(1)
    one.socket.writableLength = 0
    one.socket.emit('drain')
    await quiet()
    expect(numbers(one.socket, 1)).toEqual([1, 2, 3, 4, 5])
    expect(one.socket.said).toHaveLength(1)
    expect(one.socket.listenerCount('drain')).toBe(0)
  })

  test('and leaves while its socket is full is told nothing, and nothing is kept of it', async () => {
    const { bell, followers, ring, join } = open()
    const one = join(1)
    await quiet()
    one.socket.writableLength = FULL
    ring()
    await quiet()
    followers.end(one.follower)
    expect([one.isOpen(), bell.count()]).toEqual([false, 0])
    one.socket.emit('close')
    await quiet()
    expect(one.socket.said).toEqual([])
    expect(one.socket.listenerCount('drain') + one.socket.listenerCount('close')).toBe(0)
  })

  test('is not asked for once its socket closes', async () => {
    const { ring, join } = open()
    const one = join(1)
    await quiet()
    one.client.readyState = 2
    ring()
    await quiet()
    expect(one.told()).toBe(0)
  })

  test('and may not any more is reported, and the others are told', async () => {
    const { failures, ring, join } = open()
    const cause = new Error('revoked')
    let revoked = false
    const one = join(1, {
      work() {
        if (revoked) throw cause
      },
    })
    const other = join(2)
    await quiet()
    revoked = true
    ring()
    await quiet()
    expect(failures).toEqual([cause])
    expect(one.socket.said).toEqual([])
    expect(numbers(other.socket, 2)).toEqual([1])
  })

  test('in thousands holds nobody up: other work is done between some of them', async () => {
    const { ring, join } = open()
    const work = () => {
      const end = performance.now() + 1
      while (performance.now() < end);
    }
    const joined = Array.from({ length: 50 }, (_, id) => ({ id, ...join(id, { work }) }))
    const told = () => joined.filter(({ socket }) => socket.said.length > 0).length
    await quiet()
    ring()
    const between: number[] = []
    while (told() < joined.length) {
      await turn()
      between.push(told())
    }
    // Some milliseconds in each turn, of one millisecond each.
    expect(Math.max(...between.map((now, index) => now - (between[index - 1] ?? 0)))).toBeLessThan(10)
    for (const { id, socket } of joined) expect(numbers(socket, id)).toEqual([1])
  })
})
