import { describe, expect, test } from 'vitest'
import { PLACES } from '../../lib/db/limits.ts'
import { DESKTOP, LAPTOP, openWorld, type World } from '../db/harness.ts'

const SERVER = { id: 'machine-server', host: 'server' }

/** Seats of a machine send 60 messages each to one mailbox; gives how many it took. */
function flood(world: World, to: string, machine: typeof LAPTOP, seats: number): number {
  let taken = 0
  for (let number = 0; number < seats; number++) {
    const sender = world.join(`${machine.host}-${number}`, { machine })
    for (let count = 0; count < 60; count++) if (world.trySend(sender, to).kind === 'sent') taken++
  }
  return taken
}
const person = (world: World, machine: typeof LAPTOP) =>
  world.join(`user-${machine.host}`, { machine, kind: 'user' })

describe('a mailbox that 17 seats of another machine flood', () => {
  test('takes 200 messages of that machine, and then the mail of everybody else', () => {
    using world = openWorld()
    const web = world.join('web')
    expect(flood(world, web, DESKTOP, 17)).toBe(PLACES.machine)
    for (const machine of [LAPTOP, SERVER]) {
      expect(world.trySend(world.join(`one-${machine.host}`, { machine }), web).kind).toBe('sent')
      expect(world.trySend(person(world, machine), web).kind).toBe('sent')
    }
    // The person at the flooding machine as well.
    expect(world.trySend(person(world, DESKTOP), web).kind).toBe('sent')
    expect(world.trySend(world.join('late', { machine: DESKTOP }), web)).toMatchObject({ taken: 'machine' })
  })

  test('takes mail of its own machine and of each person however many other machines flood it', () => {
    using world = openWorld()
    const web = world.join('web')
    for (const host of ['a', 'b', 'c', 'd']) flood(world, web, { id: `machine-${host}`, host }, 7)
    expect(world.database.mailbox.queued(web)).toBe(PLACES.others)
    expect(world.trySend(world.join('other', { machine: SERVER }), web)).toMatchObject({ taken: 'others' })
    expect(world.trySend(person(world, SERVER), web).kind).toBe('sent')
    expect(flood(world, web, LAPTOP, 11)).toBe(PLACES.own)
    expect(world.trySend(person(world, LAPTOP), web).kind).toBe('sent')
  })

  test('takes 25 messages of a person and no more while it is full', () => {
    using world = openWorld()
    const web = world.join('web')
    flood(world, web, DESKTOP, 17)
    const sender = person(world, DESKTOP)
    for (let count = 0; count < PLACES.person; count++) world.send(sender, web)
    expect(world.trySend(sender, web).kind).toBe('mailbox-full')
  })
})

test('one session fills 200 places of a mailbox on its own machine, and its neighbour still sends', () => {
  using world = openWorld()
  const [web, loud, quiet] = [world.join('web'), world.join('loud'), world.join('quiet')]
  for (let count = 0; count < PLACES.sender; count++) {
    if (count % 50 === 0) world.advance(60_000)
    world.send(loud, web)
  }
  world.advance(60_000)
  expect(world.trySend(loud, web)).toMatchObject({ kind: 'mailbox-full', taken: 'sender' })
  expect(world.trySend(quiet, web).kind).toBe('sent')
})
