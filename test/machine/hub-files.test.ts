import { existsSync, unlinkSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { runHub, spawnHub } from '../harness/hub.ts'
import { serves, startFrom, statsOf, VERSION } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

describe.concurrent('a hub ends by itself', () => {
  test.each(['.claude-peers.db', '.claude-peers.db.lock'])('when %s is taken from under it', async (name) => {
    await using home = await createHome()
    await using hub = await runHub(home)
    unlinkSync(join(home.path, name))
    expect(await hub.exited).toBe(1)
    expect(await startFrom(home)).toMatchObject({ version: VERSION })
    expect(await serves(home)).toBe(2)
  })

  test('when its token is changed by hand, so that the next one goes by the new token', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const token = 'a-token-that-somebody-wrote-by-hand'
    await writeFile(join(home.path, '.claude-peers/token'), `${token}\n`)
    expect(await hub.exited).toBe(0)
    const { url } = await startFrom(home)
    expect(await home.token()).toBe(token)
    expect(await statsOf(home, url!)).toMatchObject({ version: VERSION })
  })

  test('when its home is gone, and does not bring it back', async () => {
    await using home = await createHome()
    const hub = spawnHub(home)
    await waitFor(async () => (await serves(home).catch(() => 0)) === 1, 'the hub')
    await rm(home.path, { recursive: true })
    expect(await hub.exited).toBe(1)
    expect(existsSync(home.path)).toBe(false)
  })
})
