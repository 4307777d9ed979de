import { describe, expect, test } from 'vitest'
import { DESKTOP, HOUR, LAPTOP, openWorld, SECOND, type World } from './harness.ts'

const DAY = 24 * HOUR

function invite(world: World, label = 'desktop') {
  const { row, text } = world.commit(() => world.database.machineTokens.create(label))!
  return { id: row.id, text }
}

/** A token that the desktop has used. */
function join(world: World, label = 'desktop', machine = DESKTOP) {
  const token = invite(world, label)
  world.commit(() => world.database.machines.note(machine))
  expect(world.commit(() => world.database.machineTokens.bind(token.id, machine.id))).toBe(true)
  return token
}

describe('the token of a machine', () => {
  test('is found by its text, and its secret is not in the database', () => {
    using world = openWorld()
    const { id, text } = invite(world)
    expect(text).toMatch(/^m_[0-9a-z]{13}\.[\w-]{43}$/)
    expect(world.database.machineTokens.find(text)).toMatchObject({ id, label: 'desktop', machineId: null })
    const stored = JSON.stringify(world.database.sqlite.prepare('select * from machine_tokens').all())
    expect(stored).toContain(id)
    expect(stored).not.toContain(text.split('.')[1])
  })

  test('is over once it is revoked, or was not used in time, and still known by its text', () => {
    using world = openWorld()
    const [used, unused] = [join(world), invite(world, 'server')]
    const { machineTokens } = world.database
    const over = () => [used, unused].map(({ text }) => machineTokens.isOver(text))
    expect(over()).toEqual([false, false])
    world.commit(() => machineTokens.revoke('desktop'))
    expect(over()).toEqual([true, false])
    world.clock.now += DAY
    expect(over()).toEqual([true, true])
    expect(machineTokens.isOver(`${used.text}x`)).toBe(false)
  })

  test('is not found by another text', () => {
    using world = openWorld()
    const [one, other] = [invite(world), invite(world, 'server')]
    const { machineTokens } = world.database
    for (const text of [
      '',
      one.id,
      `${one.id}.`,
      `${one.text}x`,
      one.text.slice(0, -1),
      one.text.toUpperCase(),
      `${one.id}.${other.text.split('.')[1]}`,
      ` ${one.text}`,
      `${one.text}\n`,
    ]) {
      expect(machineTokens.find(text)).toBeUndefined()
    }
  })

  test('has a label that no other live one has', () => {
    using world = openWorld()
    const { id } = invite(world)
    const { machineTokens } = world.database
    expect(world.commit(() => machineTokens.create('desktop'))).toBeUndefined()
    world.commit(() => machineTokens.revoke(id))
    expect(world.commit(() => machineTokens.create('desktop'))).toBeDefined()
  })

  test('that was not used within a day is none, and leaves its label free', () => {
    using world = openWorld()
    const { id, text } = invite(world)
    const { machineTokens } = world.database
    world.advance(DAY - 1)
    expect(machineTokens.find(text)).toMatchObject({ id })
    expect(machineTokens.any()).toBe(true)
    world.advance(1)
    expect(machineTokens.find(text)).toBeUndefined()
    expect(machineTokens.live(id)).toBeUndefined()
    expect(machineTokens.any()).toBe(false)
    expect(machineTokens.list()).toMatchObject([{ id, expired: true }])
    expect(invite(world).id).not.toBe(id)
  })

  test('that was used does not expire', () => {
    using world = openWorld()
    const { text } = join(world)
    world.advance(400 * DAY)
    expect(world.database.machineTokens.find(text)).toMatchObject({ machineId: DESKTOP.id })
    expect(world.database.machineTokens.any()).toBe(true)
  })

  test('belongs to the machine that used it first, which has no other', () => {
    using world = openWorld()
    const { id } = join(world)
    const second = invite(world, 'second')
    const { machineTokens, machines } = world.database
    world.commit(() => machines.note(LAPTOP))
    expect(world.commit(() => machineTokens.bind(id, LAPTOP.id))).toBe(false)
    expect(world.commit(() => machineTokens.bind(second.id, DESKTOP.id))).toBe(false)
    expect(machineTokens.ofMachine(DESKTOP.id)).toMatchObject({ id, boundAt: world.clock.now })
    expect(machineTokens.ofMachine(LAPTOP.id)).toBeUndefined()
  })

  test('that was revoked, by label or by id, is none for ever', () => {
    using world = openWorld()
    const { machineTokens } = world.database
    for (const by of ['label', 'id'] as const) {
      const { id, text } = join(world)
      expect(world.commit(() => machineTokens.revoke(by === 'id' ? id : 'desktop'))).toMatchObject({
        id,
        revokedAt: world.clock.now,
      })
      expect(machineTokens.find(text)).toBeUndefined()
      expect(machineTokens.ofMachine(DESKTOP.id)).toBeUndefined()
      expect(machineTokens.any()).toBe(false)
      expect(world.commit(() => machineTokens.revoke(id))).toBeUndefined()
    }
    expect(world.commit(() => machineTokens.revoke('nobody'))).toBeUndefined()
  })

  test('is seen once a minute at most', () => {
    using world = openWorld()
    const { id } = join(world)
    const { machineTokens } = world.database
    expect(machineTokens.isDue(machineTokens.live(id)!)).toBe(true)
    world.commit(() => machineTokens.touch(id))
    expect(machineTokens.live(id)).toMatchObject({ seenAt: world.clock.now })
    world.advance(60 * SECOND - 1)
    expect(machineTokens.isDue(machineTokens.live(id)!)).toBe(false)
    world.advance(1)
    expect(machineTokens.isDue(machineTokens.live(id)!)).toBe(true)
  })

  test('is forgotten 30 days after it was revoked or went unused', () => {
    using world = openWorld()
    const { machineTokens } = world.database
    const gone = join(world)
    world.commit(() => machineTokens.revoke(gone.id))
    invite(world, 'unused')
    const kept = join(world, 'desktop', DESKTOP)
    world.advance(30 * DAY - 1)
    world.sweep()
    expect(machineTokens.list()).toHaveLength(3)
    world.advance(1)
    world.sweep()
    expect(machineTokens.list()).toMatchObject([{ id: kept.id }])
  })
})

test.for([
  ['machine_tokens_bound', `machine_id = '${DESKTOP.id}'`],
  ['machine_tokens_bound', 'bound_at = 1'],
  ['machine_tokens_label_form', "label = 'Desktop'"],
  ['machine_tokens_label_form', "label = ''"],
])('%s refuses a token with %s', ([constraint, assignment]) => {
  using world = openWorld()
  invite(world)
  world.commit(() => world.database.machines.note(DESKTOP))
  expect(() => world.database.sqlite.exec(`update machine_tokens set ${assignment}`)).toThrow(constraint)
})

describe('the machines of the network', () => {
  test('are those with a token, and apart from them those that came without', () => {
    using world = openWorld()
    join(world)
    const server = { id: 'machine-server', host: 'server' }
    for (const machine of [LAPTOP, server]) world.commit(() => world.database.machines.note(machine))
    const shared = () => world.database.machines.withoutToken(LAPTOP.id).map((machine) => machine.host)
    expect(shared()).toEqual(['server'])
    world.advance(1)
    world.commit(() => world.database.machineTokens.revoke('desktop'))
    expect(shared()).toEqual(['server'])
    world.advance(1)
    world.commit(() => world.database.machines.note(DESKTOP))
    expect(shared()).toEqual(['desktop', 'server'])
  })

  test('have a label that is taken when another has it', () => {
    using world = openWorld()
    const { machines } = world.database
    world.commit(() => machines.note({ ...LAPTOP, host: 'Laptop.local' }))
    expect(machines.hostOf(LAPTOP.id)).toBe('laptop-local')
    expect(machines.isTaken('laptop.local', DESKTOP.id)).toBe(true)
    expect(machines.isTaken('laptop.local', LAPTOP.id)).toBe(false)
    expect(machines.isTaken('desktop', LAPTOP.id)).toBe(false)
  })

  test('count their sessions that are online', () => {
    using world = openWorld()
    const { machines, peers } = world.database
    const api = world.join('api')
    world.join('web')
    world.commit(() => peers.setOnline(api, true))
    expect(machines.sessionsOnline(LAPTOP.id)).toBe(1)
    expect(machines.sessionsOnline(DESKTOP.id)).toBe(0)
  })
})
