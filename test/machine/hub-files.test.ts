import { existsSync, renameSync, unlinkSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { runHub, spawnHub, stockClient, takeSeat } from '../harness/hub.ts'
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

  test('when its write-ahead log is deleted, and everything that it acknowledged is kept', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const [api, web] = [await takeSeat(hub, 'api'), await takeSeat(hub, 'web')]
    const send = (count: number) =>
      api.client.messages.send.mutate({
        to: web.name,
        message: `mail ${count}`,
        idempotencyKey: `log-mail-${count}`,
      })
    for (let count = 0; count < 10; count++) await send(count)
    unlinkSync(join(home.path, '.claude-peers.db-wal'))
    // The hub may end before it has answered all.
    const later = await Promise.allSettled(Array.from({ length: 10 }, (_, count) => send(10 + count)))
    const acknowledged = 10 + later.filter(({ status }) => status === 'fulfilled').length
    expect(acknowledged).toBeGreaterThan(10)
    hub.kill('SIGKILL')
    await hub.exited
    await using next = await runHub(home)
    const { queued } = (await stockClient(next).hub.stats.query()).deliveries
    expect(queued).toBeGreaterThanOrEqual(acknowledged)
    unlinkSync(join(home.path, '.claude-peers.db-wal'))
    expect(await next.exited).toBe(1)
    await using last = await runHub(home)
    expect((await stockClient(last).hub.stats.query()).deliveries.queued).toBe(queued)
  })

  test('when its database is moved, acknowledges nothing more, and status and doctor say where it is', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const [api, web] = [await takeSeat(hub, 'api'), await takeSeat(hub, 'web')]
    const movedTo = join(home.path, 'elsewhere.db')
    renameSync(join(home.path, '.claude-peers.db'), movedTo)
    const late = { to: web.name, message: 'too late', idempotencyKey: 'too-late' }
    await expect(api.client.messages.send.mutate(late)).rejects.toThrow(/hub failed|fetch failed/)
    expect(await hub.exited).toBe(1)
    const say = async (command: string) => (await home.cli([command])).stdout
    for (const command of ['status', 'doctor']) {
      expect(await say(command)).toContain('elsewhere.db while its hub ran')
    }
    await using next = await runHub(home)
    expect(next.pid).not.toBe(hub.pid)
    for (const command of ['status', 'doctor']) {
      expect(await say(command)).toContain('elsewhere.db while its hub ran')
    }
    unlinkSync(movedTo)
    expect(await say('status')).not.toContain('elsewhere.db')
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
