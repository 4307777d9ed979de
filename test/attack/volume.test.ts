import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BYTES_A_DAY } from '../../lib/db/limits.ts'
import { DESKTOP, HOUR, openFileWorld, openWorld } from '../db/harness.ts'
import { mountSmallDisk } from '../harness/small-disk.ts'
import { draft, openRouter } from '../harness/router.ts'

const MIB = 1_024 * 1_024

describe('a machine that has sent its bytes of a day', () => {
  test('is refused until the day is over, and no other machine is', () => {
    using world = openWorld()
    const [web, loud] = [world.join('web'), world.join('loud', { machine: DESKTOP })]
    world.send(loud, web)
    world.commit(() => world.database.volume.note(DESKTOP.id, BYTES_A_DAY.other - 4_096))
    expect(world.trySend(loud, web, { body: 'x'.repeat(4_096) })).toMatchObject({
      kind: 'too-much',
      limit: BYTES_A_DAY.other,
      waitMs: 24 * HOUR,
    })
    world.send(loud, web, 'a short one still fits')
    expect(
      world.trySend(world.join('next', { machine: DESKTOP }), web, { body: 'x'.repeat(2_048) }).kind,
    ).toBe('too-much')
    world.send(world.join('quiet'), web, { body: 'x'.repeat(4_096) })
    world.advance(24 * HOUR)
    world.send(loud, web, { body: 'x'.repeat(4_096) })
  })

  test('pays for each recipient, and not for what was refused or sent again', () => {
    using world = openWorld()
    const loud = world.join('loud', { machine: DESKTOP })
    const many = Array.from({ length: 50 }, (_, number) => world.join(`web-${number}`))
    world.commit(() => world.database.volume.note(DESKTOP.id, BYTES_A_DAY.other - 60_000))
    const short = { body: 'hello', idempotencyKey: 'the same' }
    world.send(loud, many, short)
    expect(world.trySend(loud, many).kind).toBe('too-much')
    expect(world.trySend(loud, many, short).kind).toBe('repeated')
    world.send(loud, many[0]!, 'what was refused did not count')
  })

  test('is told its limit and the way out, in a refusal that a spool keeps its mail for', async () => {
    const { seat, database } = openRouter()
    const [web, api] = [await seat('web'), await seat('api')]
    await database.queue.run(() => database.volume.note('machine-home', BYTES_A_DAY.home))
    await expect(web.caller.messages.send(draft(api.name))).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: expect.stringMatching(
        /^Your machine has sent 2048 MiB .* try again in 24 h, or put large texts/,
      ),
    })
  })
})

test('a disk that is nearly full takes no mail, delivers what waits, and takes mail again once there is room', () => {
  using disk = mountSmallDisk({ mib: 32 })
  using world = openFileWorld(join(disk.path, 'peers.db'))
  const [web, api] = [world.join('web'), world.join('api')]
  for (let count = 0; count < 40; count++) world.send(web, api, { body: `${count} ${'x'.repeat(20_000)}` })
  disk.fill(6 * MIB)
  expect(world.trySend(web, api).kind).toBe('disk-low')
  for (let round = 0; round < 40; round++) {
    const offer = world.consume(api, { budget: 20_100 })
    expect(offer.messages).toHaveLength(1)
    world.acknowledge(api, offer)
  }
  world.join('another session')
  expect(world.database.sqlite.pragma('wal_checkpoint(TRUNCATE)')).toMatchObject([{ busy: 0 }])
  disk.free()
  world.send(web, api)
})

test('a flood stops at the floor of the disk, and its recipient still takes its mail', () => {
  using disk = mountSmallDisk({ mib: 32 })
  using world = openFileWorld(join(disk.path, 'peers.db'))
  const readers = Array.from({ length: 4 }, (_, number) => world.join(`reader-${number}`))
  const body = (number: number) => `${number} ${'x'.repeat(60_000)}`
  let sent = 0
  let outcome = ''
  for (; sent < 700 && outcome !== 'disk-low'; sent++) {
    if (sent % 50 === 0) world.advance(60_000)
    outcome = world.trySend(readers[sent % 4]!, readers[(sent + 1) % 4]!, { body: body(sent) }).kind
  }
  expect(outcome).toBe('disk-low')
  for (const reader of readers) world.acknowledge(reader, world.consume(reader))
  world.join('late')
})
