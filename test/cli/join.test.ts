import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { readMachineId } from '../../lib/machine/machine-id.ts'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { installVersion } from '../harness/installation.ts'
import { NOWHERE } from '../harness/nowhere.ts'
import { openProxy } from '../harness/proxy.ts'
import { startSession } from '../harness/session.ts'
import { startFrom } from '../harness/starter.ts'
import { installInto } from '../../apps/cli/install/install.ts'
import { joinAs } from '../harness/peer.ts'
import { waitFor } from '../harness/wait.ts'
import { openMachine, openStudio, readSettings, runIn, settingsOf, writeSettings } from './network.ts'

const WRONG = `m_0000000000000.${'a'.repeat(43)}`

describe.concurrent('one line on another machine', () => {
  test('joins it to the hub, says what its sessions are called, and they and the hub’s find each other', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    const [url, token] = await studio.invite('laptop')
    const { code, stdout, stderr } = await runIn(laptop, 'api', ['join', url, token])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.split('\n')).toEqual([
      `Joined the hub of studio at ${url} (3.0.0).`,
      'Sessions of this machine are called <name>@laptop, such as api@laptop for one in this directory.',
      'Written to ~/.claude-peers.json.',
      'Sessions that run now stay with the hub that they have until they are restarted.',
      '',
    ])
    expect(await readSettings(laptop)).toEqual({ broker_url: url, token, host: 'laptop' })
    expect((await stat(settingsOf(laptop))).mode & 0o777).toBe(0o600)

    await installInto({
      home: laptop.path,
      env: laptop.env,
      node: process.execPath,
      root: process.cwd(),
      print: false,
    })
    await using api = await startSession(laptop, { cwd: await laptop.project('api') })
    await using web = await joinAs(studio.home, 'web')
    await api.tool('list_peers')
    expect((await studio.home.cli(['peers'])).stdout).toMatch(/^● api@laptop: /m)
    const id = await web.send('api@laptop', 'hello from the hub’s machine')
    expect(await api.deliver('UserPromptSubmit')).toContain('hello from the hub’s machine')
    await waitFor(async () => (await web.stateOf(id)) === 'delivered', 'the receipt')
    expect(existsSync(`${laptop.path}/.claude-peers/hub.json`)).toBe(false)
  })

  test('can be run again, and changes nothing', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    const line = ['join', ...(await studio.invite('laptop'))]
    await laptop.cli(line)
    const before = await readFile(settingsOf(laptop), 'utf8')
    const { code, stdout } = await laptop.cli(line)
    expect([code, stdout]).toEqual([0, expect.stringContaining('said so already: nothing was written')])
    expect(await readFile(settingsOf(laptop), 'utf8')).toBe(before)
    expect(existsSync(`${settingsOf(laptop)}.backup`)).toBe(false)
  })

  test('keeps the other settings and their order, and what it replaces in a copy', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    const before = '{\n\t"notify_command": "off",\n\t"token": "of-before",\n\t"host": "Mine"\n}\n'
    await writeSettings(laptop, before)
    const [url, token] = await studio.invite('laptop')
    const { stdout } = await laptop.cli(['join', url, '-'], { input: `${token}\n` })
    expect(stdout).toContain('called <name>@mine')
    expect(stdout).toContain('what was there is in ~/.claude-peers.json.backup')
    expect(await readFile(settingsOf(laptop), 'utf8')).toBe(
      `{\n\t"notify_command": "off",\n\t"token": "${token}",\n\t"host": "Mine",\n\t"broker_url": "${url}"\n}\n`,
    )
    expect(await readFile(`${settingsOf(laptop)}.backup`, 'utf8')).toBe(before)
    expect((await stat(`${settingsOf(laptop)}.backup`)).mode & 0o777).toBe(0o600)
  })

  test('takes the token from standard input, and another name with --host', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    const [url, token] = await studio.invite('laptop')
    const { code, stdout } = await laptop.cli(['join', url, '--host', 'B lue', '--json'], { input: token })
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        url,
        host: 'b-lue',
        hub: { host: 'studio', version: '3.0.0' },
        file: settingsOf(laptop),
        changed: true,
        notes: [],
      },
    ])
    expect((await studio.home.cli(['hub', 'machines'])).stdout).toMatch(
      /^laptop: joined .* calls itself b-lue · /,
    )
    expect(await readSettings(laptop)).toMatchObject({ host: 'b-lue' })
  })

  test('is refused where another machine has that name, and --host helps', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    const [url, token] = await studio.invite('laptop')
    const { code, stderr } = await laptop.cli(['join', url, token, '--host', 'studio'])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/is called studio.*nothing was written.*--host/),
    ])
    expect(existsSync(settingsOf(laptop))).toBe(false)
    expect((await laptop.cli(['join', url, token, '--host', 'desk'])).code).toBe(0)
  })

  test('says what waits at the hub that this machine had before, and which variables win', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    await startFrom(laptop)
    await using api = await joinAs(laptop, 'api')
    await using web = await joinAs(laptop, 'web')
    await web.send(api.id, 'for you')
    const env = { CLAUDE_PEERS_HOST: 'desk' }
    const { stdout } = await laptop.cli(['join', ...(await studio.invite('laptop'))], { env })
    expect(stdout).toContain(
      "1 message waits at this machine's own hub: sessions that are still there get them.",
    )
    expect(stdout).toContain('CLAUDE_PEERS_HOST is set here and wins over the file')
    expect(stdout).toContain('called <name>@desk')
  })

  test('works with the token that several machines share', async () => {
    await using studio = await openStudio()
    await studio.home.stopHub()
    await writeSettings(studio.home, { token: '3c1f0e2d4b5a69788796a5b4c3d2e1f0' })
    await startFrom(studio.home)
    studio.proxy.aim((await studio.home.rendezvous()).url)
    await using laptop = await openMachine()
    const { code } = await laptop.cli([
      'join',
      studio.proxy.url,
      '3c1f0e2d4b5a69788796a5b4c3d2e1f0',
      '--host',
      'laptop',
    ])
    expect(code).toBe(0)
    expect((await studio.home.cli(['hub', 'machines'])).stdout).toMatch(
      /^laptop: uses the shared token · 0 sessions online/,
    )
  })
})

describe.concurrent('join writes nothing and says why', () => {
  /** The exit code and what is said; a file that was written is part of it. */
  const refusal = async (args: string[]) => {
    await using laptop = await openMachine()
    const { code, stdout, stderr } = await laptop.cli(['join', ...args])
    const written = existsSync(settingsOf(laptop)) ? ' and wrote' : ''
    return [code, stdout + stderr.replaceAll(args[1] ?? WRONG, 'SECRET') + written]
  }
  const said = (exit: number, words: RegExp) => [
    exit,
    expect.stringMatching(new RegExp(`^claude-peers: (?!.*SECRET).*(?:${words.source}).*\\n$`)),
  ]
  const serve = async (server: ReturnType<typeof createServer>) => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      port: (server.address() as AddressInfo).port,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      },
    }
  }

  test.each([
    ['no URL', ['studio:7899', WRONG], /the URL: use a URL such as http/],
    ['a token that is not whole', ['http://studio:7899', 'm_123.abc'], /the token is not whole/],
    ['a token with a space', ['http://studio:7899', 'a b'], /the token: use up to 512/],
    ['no token', ['http://studio:7899'], /Standard input was empty/],
    ['a host that is none', ['http://studio:7899', WRONG, '--host', '…'], /--host: use a name/],
  ])('with %s', async (_, args, words) => {
    expect(await refusal(args)).toEqual(said(2, words))
  })

  test('when nothing answers', async () => {
    expect(await refusal(['http://127.0.0.1:1', WRONG])).toEqual(said(3, /does not answer.*start it there/))
  })

  test('when the name is unknown', async () => {
    expect(await refusal([`http://${NOWHERE}:7899`, WRONG])).toEqual(
      said(3, /finds no such name \((ENOTFOUND|EAI_AGAIN)\).*private network/),
    )
  })

  test('when the port was left out of an http URL', async () => {
    expect(await refusal([`http://${NOWHERE}`, WRONG])).toEqual(said(3, /Is ":7899" missing from the URL/))
  })

  test('when another program answers', async () => {
    await using other = await serve(createServer((_, response) => response.end('<html>')))
    expect(await refusal([`http://127.0.0.1:${other.port}`, WRONG])).toEqual(
      said(3, /is no hub \(status 200\): check the address/),
    )
  })

  test('when http is said to TLS, and https to none', async () => {
    await using plain = await serve(createServer((_, response) => response.end('x')))
    expect(await refusal([`https://127.0.0.1:${plain.port}`, WRONG])).toEqual(
      said(3, /speaks no TLS .*use http:/),
    )
    await using secure = await serve(createTlsServer(CERTIFICATE))
    expect(await refusal([`http://127.0.0.1:${secure.port}`, WRONG])).toEqual(
      said(3, /hung up \(ECONNRESET\).*http or https/),
    )
  })

  test('when the certificate is not trusted', async () => {
    await using secure = await serve(createTlsServer(CERTIFICATE))
    expect(await refusal([`https://127.0.0.1:${secure.port}`, WRONG])).toEqual(
      said(3, /cannot be trusted to be the hub \(DEPTH_ZERO_SELF_SIGNED_CERT\).*NODE_EXTRA_CA_CERTS/),
    )
  })

  test('when the token is wrong, revoked, or of another machine', async () => {
    await using studio = await openStudio()
    const [url, token] = await studio.invite('laptop')
    await using laptop = await openMachine()
    expect(await refusal([url, WRONG])).toEqual(said(1, /its token is wrong, was revoked.*hub invite/))
    await laptop.cli(['join', url, token])
    expect(await refusal([url, token])).toEqual(said(1, /This token belongs to another machine/))
    await studio.home.cli(['hub', 'revoke', 'laptop'])
    expect(await refusal([url, token])).toEqual(said(1, /its token is wrong|remote access is off/))
  })

  test('when the hub is its own', async () => {
    await using studio = await openStudio()
    const { port } = new URL((await studio.home.rendezvous()).url)
    const { code, stderr } = await studio.home.cli(['join', `http://localhost:${port}`, WRONG], {
      env: { CLAUDE_PEERS_PORT: port },
    })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/this machine's own hub.*on another machine/)])
  })

  test('when the hub is of a version that knows no machines', async () => {
    const health = { status: 'ok', name: 'claude-peers', version: '2.9.0', protocol: 1 }
    const error = {
      message: 'No procedure found',
      code: -32004,
      data: { code: 'NOT_FOUND', httpStatus: 404 },
    }
    await using older = await serve(
      createServer((request, response) => {
        const isHealth = request.url === '/health'
        response.writeHead(isHealth ? 200 : 404, { 'content-type': 'application/json' })
        response.end(JSON.stringify(isHealth ? health : { error }))
      }),
    )
    expect(await refusal([`http://127.0.0.1:${older.port}`, WRONG])).toEqual(
      said(1, /is older \(2\.9\.0\).*update it there/),
    )
  })
})

describe.concurrent('a machine that has joined', () => {
  test('is shut out by revoke at once, and invited anew under the same label', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    await laptop.cli(['join', ...(await studio.invite('laptop'))])
    await using api = await joinAs(laptop, 'api')
    const link = api.hub.mailbox.watch.subscribe(undefined, { onData: () => undefined })
    await waitFor(
      async () => (await studio.home.cli(['hub', 'machines'])).stdout.includes('1 session online'),
      'the session to be online',
    )
    expect((await studio.home.cli(['hub', 'invite', 'laptop', '--url', studio.proxy.url])).stderr).toMatch(
      /called "laptop" already: revoke it first/,
    )
    const { stdout } = await studio.home.cli(['hub', 'revoke', 'laptop'])
    expect(stdout).toMatch(/^Revoked laptop: 1 connection was closed/)
    link.unsubscribe()
    const status = await laptop.cli(['status'])
    expect([status.code, status.stdout]).toEqual([
      3,
      expect.stringMatching(/wrong token|does not let this machine in/),
    ])
    expect(status.stdout).toContain('run "claude-peers hub invite <label>"')
    expect((await laptop.cli(['join', ...(await studio.invite('laptop'))])).code).toBe(0)
    expect((await laptop.cli(['peers'])).code).toBe(0)
    expect((await studio.home.cli(['hub', 'revoke', 'nobody'])).stderr).toMatch(/No machine has a token by/)
  })

  test('says so in status, config and doctor, and manages no machines', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    const [url, token] = await studio.invite('laptop')
    await laptop.cli(['join', url, token])
    const status = await laptop.cli(['status'])
    expect(status.stdout).toMatch(/^Hub 3\.0\.0 at .*\nThis machine has joined it and is called laptop\.\n/)
    expect(status.stdout).toContain(`Hub 3.0.0 at ${url}, `)
    expect(JSON.parse((await laptop.cli(['status', '--json'])).stdout)).toMatchObject({
      remote: true,
      host: 'laptop',
    })
    expect((await laptop.cli(['config'])).stdout).toMatch(new RegExp(`^joined: hub at ${url}\n`))
    await studio.proxy.cut()
    const away = await laptop.cli(['status'])
    expect([away.code, away.stdout]).toEqual([
      3,
      `The hub at ${url} does not answer. It runs on another machine: start it there, or check the network.\nThis machine is called laptop there.\n`,
    ])
    await studio.proxy.mend()
    const doctor = JSON.parse((await laptop.cli(['doctor', '--json'])).stdout) as object[]
    expect(doctor).toContainEqual({
      about: 'network',
      state: 'ok',
      says: 'this machine is laptop, with a token of its own',
    })
    expect(doctor).toContainEqual({ about: 'clock', state: 'ok', says: 'as that of the hub, to a minute' })
    for (const args of [['invite', 'desk'], ['machines'], ['revoke', 'desk']]) {
      const { code, stderr } = await laptop.cli(['hub', ...args])
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/joined to the hub at .*on that hub's machine/),
      ])
    }
  })

  test('leaves: the rest of its settings stays, and it has a hub of its own again', async () => {
    await using studio = await openStudio()
    await using laptop = await openMachine()
    await writeSettings(laptop, { notify_command: 'off' })
    const [url, token] = await studio.invite('laptop')
    await laptop.cli(['join', url, token])
    const machine = { id: readMachineId(`${laptop.path}/.claude-peers.machine-id`), host: 'laptop' }
    await using api = await joinAs(studio.home, 'api', { machine })
    await using web = await joinAs(studio.home, 'web')
    await web.send(api.id, 'for you')
    const { code, stdout } = await laptop.cli(['leave'])
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Left the hub at ${url}`)])
    expect(stdout).toContain('1 message waits there for sessions of this machine, until it expires')
    expect(stdout).toContain('"claude-peers hub revoke laptop" there')
    expect(await readSettings(laptop)).toEqual({ notify_command: 'off', host: 'laptop' })
    expect((await laptop.cli(['leave'])).stdout).toMatch(/uses its own hub .*: there is none to leave/)
    await startFrom(laptop)
    expect(existsSync(`${laptop.path}/.claude-peers/hub.json`)).toBe(true)
  })

  test('says that its hub is older, and leaves that as it is', async () => {
    await using older = await installVersion('2.9.9')
    await using studio = await createHome({ host: 'studio' })
    await using hub = await runHub(studio, { script: `${older.root}/dist/hub.js` })
    await using proxy = await openProxy(hub.url)
    await using laptop = await openMachine()
    await writeSettings(laptop, { broker_url: proxy.url, token: hub.token })
    const said = `The hub at ${proxy.url} is older (2.9.9): update it there.\n`
    expect((await laptop.cli(['status'])).stdout).toContain(said)
    expect((await laptop.cli(['peers'])).code).toBe(0)
    expect((await studio.rendezvous()).pid).toBe(hub.pid)
  })

  test('cannot leave a hub that a variable names', async () => {
    await using laptop = await openMachine()
    const env = { CLAUDE_PEERS_BROKER_URL: 'http://studio:7899' }
    const { code, stderr } = await laptop.cli(['leave'], { env })
    expect([code, stderr]).toEqual([1, expect.stringContaining('set by CLAUDE_PEERS_BROKER_URL: unset that')])
  })
})

/** Made for this test alone: `openssl req -x509 -newkey ed25519 -nodes -days 36500 -subj /CN=localhost`. */
const CERTIFICATE = {
  key: `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINS24XUP24zm3vo5c8h/59F2oRNH0XaSId+3V6cY7qu/
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBPjCB8aADAgECAhR/xidLUHiSf9QRn2nOGoZz9v3fSDAFBgMrZXAwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE3NDE1OVoYDzIxMjYxMDI5MTc0MTU5
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwKjAFBgMrZXADIQCPpV84tQ09xiehyR36
tO/n/lmxhr4bQ+3OAELpf0yUdaNTMFEwHQYDVR0OBBYEFCezOgrTn3pw2MPVm9KG
cIKo5vPCMB8GA1UdIwQYMBaAFCezOgrTn3pw2MPVm9KGcIKo5vPCMA8GA1UdEwEB
/wQFMAMBAf8wBQYDK2VwA0EA0eGfniIlIik/Tx8av+JH8lXoi7BI/wX4L0Zhm0hr
uwS/G9Kdk1gcf/KDwcUEUMbbHqmJkGjC8LAumMgfmUGKCA==
-----END CERTIFICATE-----
`,
}

test('who joins another hub is told what is kept on this computer for the one before', async () => {
  await using first = await openStudio()
  await using second = await openStudio()
  await using home = await openMachine()
  await home.cli(['join', ...(await first.invite('laptop'))])
  await first.proxy.cut()
  await home.cli(['send', 'api@studio', 'one'])
  const { stdout } = await home.cli(['join', ...(await second.invite('laptop'))])
  expect(stdout).toContain(
    '1 message waits on this computer for that hub to answer, and go there if you join it again.',
  )
})
