import { expect, test } from 'vitest'
import { openWorld, type World } from './harness.ts'

/** The row as SQLite tells it. */
const rowOf = (world: World, id: string) =>
  world.database.sqlite
    .prepare(
      'select peers.*, machines.host from peers join machines on machines.id = machine_id where peers.id = ?',
    )
    .get(id) as Record<string, unknown>

test('a seat is one object until somebody writes to what it shows', () => {
  using world = openWorld()
  const { seat, setOnline, setSummary, bindSession } = world.database.peers
  const [api, web] = [world.join('api'), world.join('web')]
  const first = seat(api)
  expect(seat(api)).toBe(first)
  world.send(api, web)
  world.acknowledge(web, world.consume(web))
  world.sweep()
  expect(seat(api)).toBe(first)
  const writes = [
    () => setOnline(api, true),
    () => setSummary(api, 'described'),
    () => bindSession(api, 'another session'),
    () => world.database.machines.note({ id: first!.machineId, host: 'renamed' }),
  ]
  for (const write of writes) {
    const before = seat(api)
    world.commit(write)
    const after = seat(api)
    expect(after).not.toBe(before)
    const { summary, session_id: sessionId, online, host } = rowOf(world, api)
    expect(after).toMatchObject({ summary, sessionId, online: online === 1, host })
  }
  expect(seat(api)).toMatchObject({ summary: 'described', sessionId: 'another session', host: 'renamed' })
})

test('what a transaction that is rolled back said of a seat is not believed', () => {
  using world = openWorld()
  const { peers } = world.database
  const api = world.join('api')
  const fail = () =>
    world.commit(() => {
      peers.setSummary(api, 'never')
      expect(peers.seat(api)).toMatchObject({ summary: 'never' })
      throw new Error('second thoughts')
    })
  expect(fail).toThrow('second thoughts')
  expect(peers.seat(api)).not.toMatchObject({ summary: 'never' })
})

test('a seat that is gone is not found', () => {
  using world = openWorld()
  const { peers, removeSeat } = world.database
  const api = world.join('api')
  expect(peers.seat(api)).toMatchObject({ id: api })
  world.commit(() => peers.setOnline(api, false))
  expect(world.commit(() => removeSeat(api))).toBe(true)
  expect(peers.seat(api)).toBeUndefined()
})

test('many more seats than are remembered are each told as they are', () => {
  using world = openWorld()
  const { peers } = world.database
  const ids = Array.from({ length: 2_100 }, (_, number) => world.join(`peer-${number}`))
  for (let round = 0; round < 2; round++) for (const id of ids) expect(peers.seat(id)?.id).toBe(id)
})
