import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createHome, type Home } from '../harness/home.ts'
import { exchange } from '../harness/raw.ts'
import { openMachine, openStudio, readSettings, settingsOf, writeSettings } from './network.ts'

const BIN = join(import.meta.dirname, '../../bin/claude-peers.cjs')

describe.concurrent('hub invite', () => {
  test('starts the hub, and prints one line that is good for a day and shown once', async () => {
    await using studio = await openStudio()
    await studio.home.stopHub()
    const url = 'http://127.0.0.1:1234'
    const { code, stdout, stderr } = await studio.home.cli(['hub', 'invite', 'laptop', '--url', url])
    expect([code, stderr]).toEqual([0, ''])
    const [first, , line, ...rest] = stdout.split('\n')
    expect(first).toBe(
      'Run this on laptop, within 24 hours; it is shown this once, and works for one machine:',
    )
    expect(line).toMatch(/^claude-peers join http:\/\/127\.0\.0\.1:1234 m_[0-9a-z]{13}\.[\w-]{43}$/)
    expect(rest).toEqual(['', ''])
    expect((await studio.home.cli(['hub', 'machines'])).stdout).toMatch(
      /^laptop: invited just now, has not joined yet · m_[0-9a-z]{13}\n$/,
    )
    const json = await studio.home.cli(['hub', 'invite', 'desk', '--url', url, '--json'])
    const { token, command } = JSON.parse(json.stdout) as { token: string; command: string }
    expect(command).toBe(`claude-peers join ${url} ${token}`)
    const listed = await studio.home.cli(['hub', 'machines', '--json'])
    expect(listed.stdout).not.toContain(token.split('.')[1])
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { label: 'laptop' },
      { label: 'desk', state: 'invited' },
    ])
  })

  test('says when the hub cannot listen at its address now, and so does status', async () => {
    await using studio = await openStudio()
    await studio.home.stopHub()
    await writeSettings(studio.home, { host: 'studio', bind: '192.0.2.1' })
    const trouble =
      /The hub cannot listen at 192\.0\.2\.1:\d+ now \(EADDRNOTAVAIL\): other machines do not reach it/
    const { code, stdout } = await studio.home.cli(['hub', 'invite', 'laptop'])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/join http:\/\/192\.0\.2\.1:\d+ m_/)])
    expect(stdout).toMatch(/^It works once the hub listens there\. /m)
    expect(stdout).toMatch(trouble)
    const status = await studio.home.cli(['status'])
    expect(status.stdout).toMatch(trouble)
    expect(status.stdout).not.toContain('Other machines reach it at')
  })

  test('makes the name of a proxy known to the hub, which is restarted', async () => {
    await using studio = await openStudio()
    const { url: before, pid } = await studio.home.rendezvous()
    await writeSettings(studio.home, { host: 'studio', hosts: ['one.example'] })
    const { stdout } = await studio.home.cli([
      'hub',
      'invite',
      'laptop',
      '--url',
      'https://Studio.Example.ts.net./',
    ])
    expect(stdout).toContain(
      `Written to ~/.claude-peers.json: "hosts": ["one.example","studio.example.ts.net"]`,
    )
    expect(stdout).toContain('The hub was restarted; sessions follow by themselves.')
    expect(stdout).toContain('claude-peers join https://studio.example.ts.net m_')
    expect(await readSettings(studio.home)).toEqual({
      host: 'studio',
      hosts: ['one.example', 'studio.example.ts.net'],
    })
    const { url, pid: later } = await studio.home.rendezvous()
    expect([later === pid, url === before]).toEqual([false, expect.any(Boolean)])
    const headers = { host: 'studio.example.ts.net', authorization: `Bearer ${await studio.home.token()}` }
    expect((await exchange(`${url}/health`, { headers: { ...headers, host: 'two.example' } })).status).toBe(
      421,
    )
    expect((await exchange(`${url}/health`, { headers })).status).not.toBe(421)
  })

  test.each([
    ['a label that is none', ['Laptop!'], 2, /the label: use 1 to 48 of/],
    ['a URL that is none', ['laptop', '--url', 'studio'], 2, /--url: use a URL/],
    ['a wildcard', ['laptop', '--bind', '0'], 2, /--bind: that is every network.*"any"/],
    [
      'a loopback address',
      ['laptop', '--bind', '127.0.0.2'],
      2,
      /--bind: no other machine reaches 127\.0\.0\.2/,
    ],
    [
      'an address of another machine',
      ['laptop', '--bind', '198.51.100.7'],
      2,
      /has no address 198\.51\.100\.7 now/,
    ],
  ])('refuses %s, and changes nothing', async (_, args, exit, words) => {
    await using home = await createHome()
    const { code, stderr } = await home.cli(['hub', 'invite', ...args])
    expect([code, stderr]).toEqual([exit, expect.stringMatching(words)])
    expect([existsSync(settingsOf(home)), existsSync(`${home.path}/.claude-peers`)]).toEqual([false, false])
  })

  test('says which variable wins over what it would write', async () => {
    await using home = await createHome()
    const env = { CLAUDE_PEERS_HOSTS: 'one.example' }
    const { code, stderr } = await home.cli(['hub', 'invite', 'laptop', '--url', 'https://two.example'], {
      env,
    })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/CLAUDE_PEERS_HOSTS is set here and wins/)])
  })
})

/** Whether this user may make a network of its own, with an interface in it. */
const hasNetworks = (() => {
  try {
    execFileSync('unshare', ['-rn', 'ip', 'link', 'add', 'ts0', 'type', 'veth', 'peer', 'name', 'ts1'], {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
})()

describe.runIf(hasNetworks)('on a machine with a Tailscale address', () => {
  /** Runs a script where 100.64.0.7 is on an interface; `p` is the command of that home. */
  function runThere(home: Home, script: string, addresses = ['100.64.0.7/10']): Promise<string> {
    const setUp = [
      'ip link set lo up',
      'ip link add ts0 type veth peer name ts1',
      ...addresses.map((address) => `ip addr add ${address} dev ts0`),
      'ip link set ts0 up; ip link set ts1 up',
      `p() { '${process.execPath}' '${BIN}' "$@"; echo "exit $?"; }`,
      script,
      'p stop >/dev/null',
    ]
    return new Promise((resolve) => {
      execFile(
        'unshare',
        ['-rn', 'sh', '-c', setUp.join('\n')],
        { env: home.env, cwd: home.path },
        (_, out, err) => resolve(out + err),
      )
    })
  }

  test('invite has the hub listen there, restarts it, and a machine joins by the printed line', async () => {
    await using studio = await openMachine()
    await using laptop = await openMachine()
    studio.env['CLAUDE_PEERS_PORT'] = '7899'
    await writeSettings(studio, { host: 'studio' })
    const said = await runThere(
      studio,
      `
p send user 'to start the hub'
p hub invite laptop | tee invitation
line=$(grep '^claude-peers join' invitation | sed 's/^claude-peers //')
(export HOME='${laptop.path}' CLAUDE_PEERS_PORT=7898; p $line; p status; p doctor | grep network)
p hub invite desk
p status
p hub machines
p doctor | grep network
`,
    )
    expect(said).toContain(`Written to ~/.claude-peers.json: "bind": "100.64.0.7".`)
    expect(said).toContain('The hub was restarted; sessions follow by themselves.')
    expect(said).toContain('claude-peers join http://100.64.0.7:7899 m_')
    expect(said).toContain('Joined the hub of studio at http://100.64.0.7:7899')
    expect(said).toContain('Hub 3.0.0 at http://100.64.0.7:7899')
    expect(said).toContain('This machine has joined it and is called laptop.')
    expect(said).toContain('ok   network: this machine is laptop, with a token of its own')
    expect(said).toContain('Other machines reach it at http://100.64.0.7:7899')
    expect(said).toMatch(/^laptop: joined .*\ndesk: invited just now/m)
    expect(said).toContain('ok   network: other machines reach the hub at http://100.64.0.7:7899')
    expect(said.match(/^exit /gm)!.length).toBeGreaterThan(6)
    expect(said.match(/hub was restarted/g)!.length).toBe(1)
    expect(await readSettings(studio)).toEqual({ host: 'studio', bind: '100.64.0.7' })
  })

  test('the two files of claude-peers v2 make one network', async () => {
    await using ultra = await openMachine()
    await using laptop = await openMachine()
    ultra.env['CLAUDE_PEERS_PORT'] = '7899'
    const token = '3c1f0e2d4b5a69788796a5b4c3d2e1f0'
    const broker = { broker_url: 'http://100.64.0.7:7899', token }
    await writeSettings(ultra, { bind: '100.64.0.7', ...broker, host: 'ultra' })
    await writeSettings(laptop, { ...broker, host: 'laptop' })
    const said = await runThere(
      ultra,
      `
p send user 'to start the hub'
(export HOME='${laptop.path}'; p send user@ultra 'hello from the laptop')
p inbox
p hub machines
`,
    )
    expect(said).toContain('hello from the laptop')
    expect(said).toContain('user@laptop')
    expect(said).toMatch(/^laptop: uses the shared token/m)
    expect(existsSync(`${laptop.path}/.claude-peers.db`)).toBe(false)
  })

  test('with two of them, invite asks which', async () => {
    await using studio = await openMachine()
    const said = await runThere(studio, 'p hub invite laptop', ['100.64.0.7/32', '100.64.0.8/32'])
    expect(said).toMatch(/several Tailscale addresses \(100\.64\.0\.7, 100\.64\.0\.8\): name one with --bind/)
    expect(said).toContain('exit 1')
  })

  test('a hub that runs since before "bind" was set is restarted; a variable that wins is told', async () => {
    await using studio = await openMachine()
    const said = await runThere(
      studio,
      `
p send user 'to start the hub'
echo '{"bind": "100.64.0.7"}' > '${settingsOf(studio)}'
p doctor | grep network
p hub invite laptop
CLAUDE_PEERS_BIND=127.0.0.1 p hub invite desk
`,
    )
    expect(said).toContain('FIX  network: the hub was started before "bind" was 100.64.0.7')
    expect(said).toContain('The hub was restarted')
    expect(said).toMatch(/claude-peers join http:\/\/100\.64\.0\.7:\d+ m_/)
    expect(said).toContain('CLAUDE_PEERS_BIND is set here and wins over ~/.claude-peers.json')
  })
})
