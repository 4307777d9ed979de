/** A hub behind TLS: the calls, the feed, the hooks and the command line. */
import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { createRemoteHome } from '../harness/remote.ts'
import { startSession } from '../harness/session.ts'
import { openTlsDoor } from '../harness/tls.ts'

test.each(['127.0.0.1', '::1'])(
  'sessions, hooks and commands reach a hub over https at %s',
  async (host) => {
    await using hubHome = await createHome({ host: 'studio', install: true })
    await using hub = await runHub(hubHome)
    await using near = await startSession(hubHome, { cwd: await hubHome.project('near') })
    await using door = await openTlsDoor(hub.url, { host })
    await using home = await createRemoteHome(hubHome, { url: door.url, host: 'laptop' })
    // No variable has a token sent to whatever answers.
    for (const word of ['', '0']) {
      const env = { NODE_TLS_REJECT_UNAUTHORIZED: word }
      const refused = await home.cli(['send', 'near', 'who signed this?'], { env })
      expect([refused.code, refused.stderr]).toEqual([
        3,
        expect.stringContaining('cannot be trusted to be the hub'),
      ])
    }
    home.env['NODE_EXTRA_CA_CERTS'] = door.certificate
    await using far = await startSession(home, { cwd: await home.project('far') })
    expect(far.card()!.hubUrl).toBe(door.url)
    expect(
      (await near.tool('send_message', { to: 'far@laptop', message: 'over wss?' })).isError,
    ).toBeUndefined()
    // By the feed over wss, and then by a hook over https.
    await far.mailWaits()
    expect(await far.deliver('PostToolUse')).toContain('over wss?')
    const before = door.connections()
    for (let count = 0; count < 5; count++) await far.tool('list_peers')
    expect(door.connections() - before).toBeLessThanOrEqual(1)
    expect((await far.tool('send_message', { to: 'near', message: 'it is' })).data['message_id']).toBeTypeOf(
      'number',
    )
    expect((await home.cli(['status'])).stdout).toContain(`at ${door.url}`)
  },
  60_000,
)

test('a client over IPv6 without TLS names the address as a URL does', async () => {
  await using hubHome = await createHome({ host: 'studio' })
  await using hub = await runHub(hubHome, { env: { CLAUDE_PEERS_BIND: '::1' } })
  await using home = await createRemoteHome(hubHome, { url: hub.url, host: 'laptop' })
  expect(hub.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
  await using far = await startSession(home, { cwd: await home.project('far') })
  await using other = await startSession(home, { cwd: await home.project('other') })
  await other.tool('send_message', { to: 'far', message: 'six' })
  await far.mailWaits()
  expect(await far.deliver('PostToolUse')).toContain('six')
})
