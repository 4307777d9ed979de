import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createKeepAlive, TICK_MS } from '../../apps/hub/keep-alive.ts'
import { openServer } from '../harness/server.ts'
import { waitFor } from '../harness/wait.ts'

class Link extends EventEmitter {
  pings = 0
  alive = true
  ping() {
    this.pings++
    if (this.alive) this.emit('pong')
  }
  terminate() {
    this.emit('close')
  }
}

/** Links that were all opened at one moment. */
function open(count: number) {
  let time = 0
  const keepAlive = createKeepAlive({ now: () => time })
  const links = Array.from({ length: count }, () => new Link())
  for (const link of links) keepAlive.watch(link)
  return {
    keepAlive,
    links,
    /** Lets so much time pass; gives what each tick did. */
    pass(ms: number) {
      const until = time + ms
      const ticks = []
      while (time < until) {
        time += TICK_MS
        ticks.push(keepAlive.tick())
      }
      return ticks
    },
  }
}

test('nothing is to be done before the first link is due, nor when there are none', () => {
  expect(createKeepAlive().dueIn()).toBeUndefined()
  const { keepAlive, links, pass } = open(2)
  expect(keepAlive.dueIn()).toBe(15_000)
  pass(1_000)
  links[0]!.emit('message')
  expect(keepAlive.dueIn()).toBe(14_000)
  links[1]!.emit('close')
  expect(keepAlive.dueIn()).toBe(15_000)
  links[0]!.alive = false
  pass(15_000)
  expect(keepAlive.dueIn()).toBe(5_000)
  pass(5_000)
  expect(keepAlive.dueIn()).toBeUndefined()
})

describe('a WebSocket', () => {
  test('that says nothing is asked after 15 seconds, and ended 5 seconds later', () => {
    const { links, pass } = open(1)
    const [link] = links as [Link]
    link.alive = false
    let closed = false
    link.on('close', () => (closed = true))
    pass(14_750)
    expect(link.pings).toBe(0)
    pass(250)
    expect(link.pings).toBe(1)
    pass(4_750)
    expect(closed).toBe(false)
    pass(250)
    expect(closed).toBe(true)
    expect(pass(60_000).every(({ ended, asked }) => ended + asked === 0)).toBe(true)
  })

  test('that answers stays, and is asked again', () => {
    const { links, pass } = open(1)
    pass(60_000)
    expect(links[0]!.pings).toBe(4)
  })

  test('that talks is not asked', () => {
    const { links, pass } = open(1)
    for (let time = 0; time < 10; time++) {
      pass(10_000)
      links[0]!.emit('message')
    }
    expect(links[0]!.pings).toBe(0)
  })

  test('that was asked and says anything stays', () => {
    const { links, pass } = open(1)
    links[0]!.alive = false
    pass(16_000)
    links[0]!.emit('message')
    expect(pass(10_000).every(({ ended }) => ended === 0)).toBe(true)
  })

  test('that closed is forgotten', () => {
    const { links, pass } = open(1)
    links[0]!.emit('close')
    pass(60_000)
    expect(links[0]!.pings).toBe(0)
  })
})

test('a hub ends a WebSocket that does not answer, and no other', async () => {
  await using server = await openServer({ keepAlive: { pingMs: 300, pongMs: 300 } })
  server.serve()
  const url = `${server.url.replace('http', 'ws')}/trpc`
  const open = (autoPong: boolean) => new WebSocket(url, { headers: server.headers, autoPong })
  const [silent, alive] = [open(false), open(true)]
  let pings = 0
  alive.on('ping', () => pings++)
  await waitFor(() => silent.readyState === WebSocket.CLOSED, 'the end of the silent one')
  await waitFor(() => pings > 3, 'more pings')
  expect(alive.readyState).toBe(WebSocket.OPEN)
  alive.terminate()
})

test('5,000 that were opened together are asked in parts, all of them in each round, and spread out for good', () => {
  const { links, pass } = open(5_000)
  const most = (ticks: { asked: number }[]) => Math.max(...ticks.map(({ asked }) => asked))
  const first = pass(30_000)
  expect(most(first)).toBeLessThanOrEqual(Math.ceil((5_000 * 2 * TICK_MS) / 15_000))
  expect(links.every((link) => link.pings >= 1)).toBe(true)
  pass(60_000)
  expect(links.every((link) => link.pings >= 4)).toBe(true)
})
