import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readIdentity } from '../../lib/machine/processes.ts'
import { createHome } from '../harness/home.ts'
import { runHub, stockClient, takeSeat } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'

describe.concurrent('the first start', () => {
  test('leaves nothing that another user of the machine could read, whatever the umask', async () => {
    await using home = await createHome()
    await mkdir(join(home.path, '.claude-peers'), { mode: 0o777 })
    await chmod(join(home.path, '.claude-peers'), 0o777)
    await writeFile(join(home.path, '.claude-peers.db'), '', { mode: 0o666 })
    await chmod(join(home.path, '.claude-peers.db'), 0o666)
    const script = join(import.meta.dirname, '../../dist/hub.js')
    const child = spawn('/bin/sh', ['-c', 'umask 000; exec "$0" "$1"', process.execPath, script], {
      env: home.env,
      stdio: 'ignore',
    })
    await waitFor(() => home.rendezvous().catch(() => undefined), 'the hub')
    await takeSeat(
      { url: (await home.rendezvous()).url, headers: { authorization: `Bearer ${await home.token()}` } },
      'api',
    )
    const modes: Record<string, string> = {}
    for (const entry of await readdir(home.path, { recursive: true })) {
      modes[entry] = ((await stat(join(home.path, entry))).mode & 0o777).toString(8)
    }
    child.kill()
    await once(child, 'exit')
    expect(modes).toMatchObject({
      '.claude-peers': '700',
      '.claude-peers/token': '600',
      '.claude-peers/hub.json': '600',
      '.claude-peers/hub.log': '600',
      '.claude-peers.db': '600',
      '.claude-peers.db-wal': '600',
      '.claude-peers.machine-id': '600',
    })
    expect(Object.values(modes).filter((mode) => mode !== '600' && mode !== '700')).toEqual([])
  })

  test('makes a token of 256 bits, which later starts keep', async () => {
    await using home = await createHome()
    const tokens: string[] = []
    for (let round = 0; round < 2; round++) {
      await using hub = await runHub(home)
      tokens.push(hub.token)
    }
    expect(tokens[0]).toMatch(/^[\w-]{43}$/)
    expect(tokens[1]).toBe(tokens[0])
  })

  test('makes another token in the place of one that cannot be one', async () => {
    await using home = await createHome()
    await mkdir(join(home.path, '.claude-peers'))
    await writeFile(join(home.path, '.claude-peers/token'), 'two words')
    await using hub = await runHub(home)
    expect(hub.token).toMatch(/^[\w-]{43}$/)
    expect(await stockClient(hub).hub.stats.query()).toMatchObject({ pid: hub.pid })
  })

  test('writes where it is into its rendezvous', async () => {
    await using home = await createHome()
    await using hub = await runHub(home)
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(await home.rendezvous()).toEqual({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      tokenPath: join(home.path, '.claude-peers/token'),
      ...readIdentity(hub.pid),
      version,
      database: join(home.path, '.claude-peers.db'),
    })
  })

  test('of two homes gives two hubs that know nothing of each other', async () => {
    await using one = await createHome()
    await using other = await createHome()
    await using here = await runHub(one)
    await using there = await runHub(other)
    await takeSeat(here, 'api')
    expect((await stockClient(there).peers.list.query()).peers).toEqual([])
    await expect(
      stockClient({ url: there.url, headers: here.headers }).peers.list.query(),
    ).rejects.toMatchObject({
      data: { code: 'UNAUTHORIZED' },
    })
  })
})
