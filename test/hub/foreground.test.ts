import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toReplaces } from '../../lib/machine/hub-identity.ts'
import { readIdentity } from '../../lib/machine/processes.ts'
import { createHome } from '../harness/home.ts'
import { runHub, spawnHub, stockClient, takeSeat } from '../harness/hub.ts'
import { installVersion, type Installation } from '../harness/installation.ts'
import { serves, startFrom, VERSION } from '../harness/starter.ts'

const FOREGROUND = { args: ['--foreground'] }
let older: Installation
let newer: Installation
beforeAll(async () => {
  older = await installVersion('2.99.0')
  newer = await installVersion('99.0.0')
})
afterAll(async () => {
  await older[Symbol.asyncDispose]()
  await newer[Symbol.asyncDispose]()
})
const hubOf = ({ root }: Installation) => ({ script: join(root, 'dist/hub.js') })

describe('a hub in the foreground, as under a supervisor', () => {
  test('is used by a newer program as it is, and not replaced', async () => {
    await using home = await createHome()
    await using hub = await runHub(home, { ...FOREGROUND, ...hubOf(older) })
    const answer = await startFrom(home)
    expect(answer).toMatchObject({ version: older.version, url: hub.url })
    expect((await home.rendezvous()).pid).toBe(hub.pid)
    expect(await serves(home)).toBe(1)
    const { stdout } = await home.cli(['status'])
    expect(stdout).toContain(`This program is ${VERSION}: update the hub and restart its service.\n`)
    const doctor = await home.cli(['doctor'])
    expect(doctor.stdout).toContain('It runs as a service: update it and restart that.')
  })

  test('refuses to hand over, and says what to do; a person may stop it', async () => {
    await using home = await createHome()
    await using hub = await runHub(home, FOREGROUND)
    const { stop } = stockClient(hub).hub
    await expect(stop.mutate({ reason: 'handover' })).rejects.toMatchObject({
      message: expect.stringContaining('update it and restart that service'),
      data: { code: 'PRECONDITION_FAILED' },
    })
    const usurper = spawnHub(home, { args: [toReplaces(readIdentity(hub.pid))] })
    expect(await usurper.exited).toBe(3)
    expect(await stockClient(hub).hub.stats.query()).toMatchObject({ pid: hub.pid })
    await stop.mutate({ reason: 'asked' })
    expect(await hub.exited).toBe(0)
  })

  test('takes the place of one that a session started while the service was down, with its mail', async () => {
    await using home = await createHome()
    await using session = await runHub(home)
    const [web, api] = [await takeSeat(session, 'web'), await takeSeat(session, 'api')]
    await web.client.messages.send.mutate({ to: 'api', message: 'kept', idempotencyKey: 'kept-key' })
    await using service = await runHub(home, FOREGROUND)
    expect(await session.exited).toBe(0)
    const again = stockClient({ url: service.url, headers: api.headers })
    expect((await again.mailbox.peek.query()).messages).toMatchObject([{ text: 'kept' }])
  })

  test('leaves a newer one alone', async () => {
    await using home = await createHome()
    await using session = await runHub(home, hubOf(newer))
    const service = spawnHub(home, FOREGROUND)
    expect(await service.exited).toBe(3)
    expect(service.stderr()).toContain('Another hub already serves')
    expect(await stockClient(session).hub.stats.query()).toMatchObject({ version: newer.version })
  })

  test('says all in lines of JSON without colour', async () => {
    await using home = await createHome()
    await using hub = await runHub(home, { ...FOREGROUND, env: { FORCE_COLOR: '1', TERM: 'xterm-256color' } })
    hub.kill('SIGTERM')
    expect(await hub.exited).toBe(0)
    const lines = hub.stderr().trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(
      expect.arrayContaining(['hub serves', 'hub stops']),
    )
    expect(hub.stderr()).not.toContain('\u001b')
  })
})

test('a hub in the foreground whose token was changed ends with a failure, so that its supervisor starts it again', async () => {
  await using home = await createHome()
  await using hub = await runHub(home, FOREGROUND)
  await writeFile(join(home.path, '.claude-peers/token'), 'another-token-of-sixteen-signs\n')
  expect(await hub.exited).toBe(1)
  await using background = await runHub(home)
  await writeFile(join(home.path, '.claude-peers/token'), 'a-third-token-of-sixteen-signs\n')
  expect(await background.exited).toBe(0)
})
