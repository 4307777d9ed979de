import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createToll } from '../../apps/hub/toll.ts'
import { useFort } from './fort.ts'

const fort = useFort()

/** Sends the same frame so many times, and gives the code that the hub hung up with. */
async function flood(headers: Record<string, string>, frame: string | Buffer, times: number) {
  const socket = new WebSocket(`${fort.url.replace('http', 'ws')}/trpc`, { headers })
  await once(socket, 'open')
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(10_000) })
  for (let count = 0; count < times; count++) socket.send(frame)
  const [code] = (await closed) as [number]
  return { code }
}
const lines = async () => (await fort.log()).trim().split('\n').length

describe('a WebSocket', () => {
  test.each([
    ['no JSON', '{'],
    ['JSON that is no call', '{"id":1}'],
    ['binary frames', Buffer.from([1, 2, 3])],
    ['empty batches', '[]'],
  ])(
    'that sends nothing but %s is hung up on, also on the hub’s machine, and adds a line at most to the log',
    async (_, frame) => {
      const before = await lines()
      expect(await flood(fort.headers, frame, 2_000)).toMatchObject({ code: 1008 })
      expect((await lines()) - before).toBeLessThanOrEqual(1)
    },
  )

  test('of another machine that sends ten thousand calls at once is hung up on', async () => {
    const call = '{"id":1,"method":"query","params":{"path":"hub.health"}}'
    expect(await flood(fort.machineHeaders, call, 10_000)).toMatchObject({ code: 1008 })
  })

  test.each([
    ['keep-alive words', 'PING'],
    ['words that need no answer', 'PONG'],
  ])('of another machine that floods the hub with %s is hung up on', async (_, frame) => {
    expect(await flood(fort.machineHeaders, frame, 10_000)).toMatchObject({ code: 1008 })
  })
})

describe('the toll of a WebSocket', () => {
  const spend = () => {
    const taken: number[] = []
    const toll = createToll((cost) => {
      taken.push(cost)
      return 0
    })
    return { taken, toll }
  }

  test('is paid once for a frame with one call, and once more for each further call', () => {
    const { taken, toll } = spend()
    for (const calls of [1, 3]) {
      toll.charge(100)
      toll.noteCall(true)
      for (let call = 0; call < calls; call++) expect(toll.mayCall!()).toBe(true)
    }
    expect(taken).toEqual([1, 1, 1, 1])
  })

  test('is paid by size, and for what is no call in vain', () => {
    const { taken, toll } = spend()
    toll.charge(1_024 * 1_024)
    toll.noteCall(false)
    expect(toll.mayCall!()).toBe(true)
    expect(taken).toEqual([17, 1])
  })
})
