import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isAlive } from '../../lib/machine/processes.ts'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { serves, startFrom, statsOf, VERSION } from '../harness/starter.ts'

describe.concurrent('a program of another version', () => {
  test('that is newer has the older hub hand over', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const answer = await startFrom(home, { version: '99.0.0' })
    expect(await hub.exited).toBe(0)
    expect(answer.error).toBeUndefined()
    const { pid } = await statsOf(home, answer.url!)
    expect(pid).not.toBe(hub.pid)
    expect(pid).toBe((await home.rendezvous()).pid)
  })

  test('that is newer, eight times at once, has it hand over once', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const all = await Promise.all(Array.from({ length: 8 }, () => startFrom(home, { version: '99.0.0' })))
    expect(all.map((one) => one.error)).toEqual(all.map(() => undefined))
    expect(await hub.exited).toBe(0)
    // This hub stays older than what it is compared with, so the slowest of the eight may ask it once more.
    expect(await serves(home)).toBeLessThanOrEqual(9)
    const { pid } = await statsOf(home, (await home.rendezvous()).url)
    expect(isAlive(pid)).toBe(true)
  })

  test.each(['0.0.1', VERSION])('that is not newer (%s) leaves the hub alone', async (version) => {
    await using home = await createHome()
    await using hub = await runHub(home)
    expect(await startFrom(home, { version })).toMatchObject({ url: hub.url })
    expect((await home.rendezvous()).pid).toBe(hub.pid)
  })

  test('never asks a hub on another machine', async () => {
    await using home = await createHome()
    await using studio = await createHome({ host: 'studio' })
    await using hub = await runHub(studio, { env: { CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet' } })
    const env = { CLAUDE_PEERS_BROKER_URL: hub.url, CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet' }
    expect(await startFrom(home, { version: '99.0.0', env })).toMatchObject({
      url: hub.url,
      version: VERSION,
    })
    expect((await studio.rendezvous()).pid).toBe(hub.pid)
    expect(existsSync(join(home.path, '.claude-peers'))).toBe(false)
  })
})

describe.concurrent('a hub on another machine', () => {
  test('is never started, and its absence is told', async () => {
    await using home = await createHome()
    const env = {
      CLAUDE_PEERS_BROKER_URL: 'http://127.0.0.1:9',
      CLAUDE_PEERS_TOKEN: 'the-token-of-the-fleet',
    }
    const { error, name } = await startFrom(home, { env })
    expect(name).toBe('HubUnavailableError')
    expect(error).toBe(
      'The hub at http://127.0.0.1:9 does not answer. It runs on another machine: start it there, or check the network.',
    )
    expect(existsSync(join(home.path, '.claude-peers'))).toBe(false)
  })

  test('is not called without a token', async () => {
    await using home = await createHome()
    await using studio = await createHome({ host: 'studio' })
    await using hub = await runHub(studio)
    const { error } = await startFrom(home, { env: { CLAUDE_PEERS_BROKER_URL: hub.url } })
    expect(error).toContain('no token is configured')
    expect(error).toContain('CLAUDE_PEERS_TOKEN')
  })
})
