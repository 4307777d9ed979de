import { describe, expect, test } from 'vitest'
import { createGuard, type Verdict } from '../../apps/hub/guard.ts'
import { createThrottle, MAX_WRONG } from '../../apps/hub/throttle.ts'
import type { MachineToken } from '../../lib/db/machine-tokens.ts'

const HUB = '100.64.0.1'
const LOCAL = 'l'.repeat(43)
const SHARED = 'open-sesame'
const MACHINE = `m_${'0'.repeat(13)}.${'s'.repeat(43)}`
const REVOKED = `m_${'1'.repeat(13)}.${'s'.repeat(43)}`
const token = { id: 'm_0000000000000', machineId: 'machine-desktop' } as MachineToken

type Place = { from?: string; called?: string; host?: string | undefined } & Record<
  string,
  string | undefined
>

/** A guard whose time stands still, and what it says of requests from here and from elsewhere. */
function open({ shared = false, machines = true, opened = true, now = () => 0 } = {}) {
  const check = createGuard({
    localToken: LOCAL,
    sharedToken: shared ? SHARED : undefined,
    tokens: () =>
      opened
        ? {
            find: (text) => (machines && text === MACHINE ? token : undefined),
            isOver: (text) => text === REVOKED,
            any: () => machines,
          }
        : undefined,
    isKnownHost: (host) => ['localhost', '127.0.0.1', '::1', 'studio'].includes(host),
    throttle: createThrottle({ now }),
  })
  const ask = (
    bearer: string | undefined,
    { from = '127.0.0.1', called = '127.0.0.1', host = called, ...headers }: Place = {},
    health = false,
  ): Verdict =>
    check(
      {
        socket: { remoteAddress: from, localAddress: called },
        rawHeaders: [],
        headers: { host, ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }), ...headers },
      } as never,
      { open: health },
    )
  return {
    here: ask,
    there: (bearer?: string, more: Place = {}, health = false) =>
      ask(bearer, { from: '100.64.0.7', called: HUB, ...more }, health),
  }
}

const kind = (verdict: Verdict) => (verdict.allowed ? verdict.caller.kind : verdict.status)

describe('on this machine the guard', () => {
  test('tells the token of this machine, the shared one and that of a machine apart', () => {
    const { here } = open({ shared: true })
    expect(kind(here(LOCAL))).toBe('local')
    expect(kind(here(SHARED))).toBe('fleet')
    const machine = here(MACHINE)
    expect(machine).toMatchObject({
      caller: { kind: 'machine', tokenId: token.id, machineId: token.machineId },
      token,
    })
    expect(here('other')).toMatchObject({ status: 401, told: true })
  })

  test('lets nobody in by a shared token when there is none', () => {
    const { here } = open()
    for (const bearer of ['', 'undefined', 'null']) expect(kind(here(bearer))).toBe(401)
  })

  test('lets anybody ask for the health without a token, and nobody with a wrong one', () => {
    const { here } = open()
    expect(kind(here(undefined, {}, true))).toBe('nobody')
    expect(kind(here(undefined))).toBe(401)
    expect(kind(here('wrong', {}, true))).toBe(401)
  })

  test('goes on letting it in after any number of wrong tokens', () => {
    const { here } = open({ shared: true })
    for (let time = 0; time < 1_000; time++) here('wrong')
    expect(kind(here(LOCAL))).toBe('local')
    expect(kind(here(undefined, {}, true))).toBe('nobody')
    expect(here('wrong')).toMatchObject({ status: 429, retryAfter: 60 })
  })

  test('takes its own address for this machine as well', () => {
    const { here } = open()
    expect(kind(here(LOCAL, { from: HUB, called: HUB }))).toBe('local')
  })

  test('looks at the Host before the token', () => {
    const { here } = open()
    expect(kind(here(LOCAL, { host: 'evil.example' }))).toBe(421)
    expect(kind(here('wrong', { host: '0.0.0.0' }))).toBe(421)
    expect(kind(here(LOCAL, { origin: 'http://evil.example' }))).toBe(403)
  })
})

describe('to another machine the guard', () => {
  test('tells nothing without a right token, not even of the health', () => {
    const { there } = open({ shared: true })
    for (const verdict of [
      there(),
      there(undefined, {}, true),
      there('wrong'),
      there('wrong', {}, true),
      there(LOCAL),
      there(LOCAL, { host: 'localhost' }),
      there('wrong', { host: 'evil.example' }),
      there('wrong', { origin: 'https://evil.example' }),
    ]) {
      expect(verdict).toMatchObject({ allowed: false, status: 401, told: false })
    }
  })

  test('says that remote access is off, to everything, when nobody has a token', () => {
    const { there } = open({ machines: false })
    for (const verdict of [there(), there(undefined, {}, true), there(LOCAL), there(MACHINE), there('x')]) {
      expect(verdict).toMatchObject({ status: 403, reason: 'remote access is off' })
    }
  })

  test('opens for its own token and for the shared one', () => {
    const { there } = open({ shared: true })
    expect(kind(there(MACHINE))).toBe('machine')
    expect(kind(there(SHARED))).toBe('fleet')
    expect(kind(there(MACHINE, { host: 'studio' }))).toBe('machine')
  })

  test('with a right token says which Host and which Origin are not known', () => {
    const { there } = open()
    expect(there(MACHINE, { host: 'evil.example' })).toMatchObject({ status: 421, told: true })
    expect(there(MACHINE, { origin: 'https://evil.example' })).toMatchObject({ status: 403, told: true })
    expect(kind(there(MACHINE, { host: 'studio:7899', origin: 'https://studio:7899' }))).toBe('machine')
  })

  test('asks it to come again while the database is not open', () => {
    const { there } = open({ opened: false })
    expect(there(MACHINE)).toMatchObject({ status: 503, told: false })
    expect(there('wrong')).toMatchObject({ status: 401 })
    expect(there()).toMatchObject({ status: 401 })
  })

  test('takes no token of this machine through a proxy', () => {
    const { here } = open()
    expect(here(LOCAL, { 'x-forwarded-for': '127.0.0.1' })).toMatchObject({ status: 401, told: false })
    expect(here(undefined, { 'tailscale-user-login': 'me' }, true)).toMatchObject({ status: 401 })
  })
})

describe('after ten wrong tokens within a minute', () => {
  function fail({ there }: ReturnType<typeof open>, from = '100.64.0.7') {
    for (let time = 0; time < MAX_WRONG; time++) expect(kind(there('wrong', { from }))).toBe(401)
  }

  test('an address hears nothing but when to come again', () => {
    const guard = open({ shared: true })
    fail(guard)
    for (const verdict of [
      guard.there('wrong'),
      guard.there(),
      guard.there(LOCAL),
      guard.there(undefined, {}, true),
    ]) {
      expect(verdict).toMatchObject({ status: 429, retryAfter: 60, told: false })
    }
    expect(kind(guard.there('wrong', { from: '100.64.0.8' }))).toBe(401)
  })

  test('nobody there guesses the shared token, and whoever had it before goes on', () => {
    const guard = open({ shared: true })
    fail(guard)
    expect(kind(guard.there(SHARED))).toBe(429)
    expect(kind(guard.there(SHARED, { from: '100.64.0.8' }))).toBe('fleet')
    fail(guard, '100.64.0.8')
    expect(kind(guard.there('wrong', { from: '100.64.0.8' }))).toBe(429)
    expect(kind(guard.there(SHARED, { from: '100.64.0.8' }))).toBe('fleet')
  })

  test('a machine with a token of its own comes in, also for the first time', () => {
    const guard = open()
    fail(guard)
    expect(kind(guard.there(MACHINE))).toBe('machine')
  })

  test('a machine that was shut out is still told that, and its asking counts as no guess', () => {
    const guard = open()
    for (let time = 0; time < 2 * MAX_WRONG; time++) expect(kind(guard.there(REVOKED))).toBe(401)
    expect(kind(guard.there('wrong'))).toBe(401)
    fail(guard, '100.64.0.8')
    expect(kind(guard.there('wrong', { from: '100.64.0.8' }))).toBe(429)
    expect(kind(guard.there(REVOKED, { from: '100.64.0.8' }))).toBe(401)
  })

  test('one IPv6 network is one address', () => {
    const guard = open()
    for (let host = 0; host < MAX_WRONG; host++) guard.there('wrong', { from: `2001:db8::${host}` })
    expect(kind(guard.there('wrong', { from: '2001:db8::ffff:1' }))).toBe(429)
    expect(kind(guard.there('wrong', { from: '2001:db8:0:1::1' }))).toBe(401)
  })
})
