import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blockPort } from '../harness/blocker.ts'
import { createHome } from '../harness/home.ts'
import { BIN } from './program.ts'

const VERBS = [
  'status',
  'peers',
  'send',
  'inbox',
  'log',
  'message',
  'watch',
  'install',
  'uninstall',
  'doctor',
  'kill-broker|stop',
  'hub',
  'join',
  'leave',
  'config',
  'migrate',
  'backup',
  'restore',
  'mcp',
  'hook',
]

test('help names every verb and the exit codes', async () => {
  await using home = await createHome()
  const { code, stdout, stderr } = await home.cli(['--help'])
  expect([code, stderr]).toEqual([0, ''])
  for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^  ${verb.replace('|', '\\|')}\\b.*`, 'm'))
  expect(stdout).toContain('0 done, 1 failed, 2 wrong usage, 3 no hub to talk to')
  const ofHub = (await home.cli(['hub', '--help'])).stdout
  for (const verb of ['invite', 'machines', 'revoke']) expect(ofHub).toMatch(new RegExp(`^  ${verb} `, 'm'))
  expect((await home.cli(['--version'])).stdout).toBe('3.0.0\n')
})

test.each([
  [[], /^Usage: claude-peers/],
  [['nonsense'], /unknown command 'nonsense'/],
  [['statsu'], /Did you mean status\?/],
  [['log', '-n', '501'], /use a whole number from 1 to 500/],
  [['message', '9007199254740991'], /use a whole number from 1/],
  [['send', 'api', 'x', '--reply-to', '9007199254740993'], /use a whole number from 1/],
  [['send'], /missing required argument 'to'/],
  [['join'], /missing required argument 'url'/],
  [['hub', 'invite'], /missing required argument 'label'/],
  [['hub', 'revoke'], /missing required argument 'label'/],
  [['hub', 'invte'], /"hub invte" is no command\. Did you mean "hub invite"\?/],
  [['hub', 'xyz'], /"hub xyz" is no command\. There are invite, machines, revoke\./],
  [['status', 'extra'], /too many arguments/],
  [['peers', '--yaml'], /unknown option '--yaml'/],
  [['message'], /missing required argument 'id'/],
  [['message', 'api'], /use a whole number from 1/],
  [['log', '-n', '0'], /use a whole number from 1/],
  [['send', 'api', 'x', '--reply-to', 'it'], /use a whole number from 1/],
])('wrong usage %j ends with 2 and shows the way', async (args, words) => {
  await using home = await createHome()
  const { code, stdout, stderr } = await home.cli(args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(words)
  expect(stderr).toMatch(/--help|Examples:/)
})

test.each([
  ['an empty message', ['send', 'api', ''], 'The message is empty'],
  ['nothing on standard input', ['send', 'api'], 'Standard input was empty'],
  ['an empty address', ['send', 'api,', 'hello'], 'An address is empty'],
  ['two ways to look', ['inbox', '--peek', '--all'], 'use one of them'],
])('%s ends with 2, is said, and needs no hub', async (_, args, words) => {
  await using home = await createHome()
  const { code, stderr } = await home.cli(args)
  expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
  await expect(home.rendezvous()).rejects.toThrow('ENOENT')
})

test.runIf(existsSync('/dev/full'))('output that cannot be written ends with 1', async () => {
  await using home = await createHome()
  const { code, stderr } = await home.run([
    'sh',
    '-c',
    `exec "$0" "$1" config > /dev/full`,
    process.execPath,
    BIN,
  ])
  expect([code, stderr]).toEqual([1, expect.stringContaining('ENOSPC')])
})

test('README lists every exit code', async () => {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8')
  const listed = /Exit codes: ([^]*?)\.\n\n/.exec(readme)?.[1] ?? ''
  expect([...listed.matchAll(/(?:^|;)\s*(\d)/g)].map(([, code]) => code)).toEqual([
    '0',
    '1',
    '2',
    '3',
    '4',
    '5',
    '6',
  ])
})

test.each([
  [['no\u001b]0;x\u0007thing\u202e']],
  [['status', '--\u001b[2J']],
  [['log', '-n', '\u001b[31m7\u200b']],
  [['hub', '\u009b31m']],
  [['send', 'api', 'x', '--reply-to', '\u001b[1Ax']],
  [['restore', '/no/\u001b[31mfile\u{e0041}']],
])('a mistyped %j steers no terminal when it is shown', async (args) => {
  await using home = await createHome()
  const { code, stdout, stderr } = await home.cli(args)
  expect(code).toBeGreaterThan(0)
  expect(stdout + stderr).not.toMatch(/[^\P{Cc}\n]|\p{Cf}|\p{Default_Ignorable_Code_Point}/u)
})

describe('without a hub', () => {
  test('status says so, ends with 3 and starts none', async () => {
    await using home = await createHome()
    const { code, stdout } = await home.cli(['status'])
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(/^No hub answers at .*It starts with the next session/),
    ])
    const json = await home.cli(['status', '--json'])
    expect([json.code, JSON.parse(json.stdout)]).toEqual([
      3,
      {
        running: false,
        url: expect.any(String),
        reason: expect.stringMatching(/^No hub answers/),
        kept: [],
        refused: [],
        unreadable: [],
      },
    ])
    expect(existsSync(`${home.path}/.claude-peers`)).toBe(false)
  })

  test('a look starts none: it says how one starts, and ends with 3', async () => {
    await using home = await createHome()
    const looks = [
      ['status'],
      ['peers'],
      ['log'],
      ['message', '1'],
      ['inbox'],
      ['inbox', '--peek'],
      ['inbox', '--all'],
      ['watch'],
      ['hub', 'machines'],
    ]
    for (const args of looks) {
      const { code, stdout, stderr } = await home.cli(args)
      expect([args, code, stdout + stderr]).toEqual([
        args,
        3,
        expect.stringMatching(/It starts with the next session or ".*claude-peers(\.cjs)? send"/),
      ])
    }
    for (const args of [['doctor'], ['config']]) await home.cli(args)
    await expect(home.rendezvous()).rejects.toThrow('ENOENT')
  })

  test('a send starts it', async () => {
    await using home = await createHome()
    expect((await home.cli(['send', 'api', 'hello'])).code).toBe(1)
    expect((await home.cli(['peers'])).stdout).toMatch(/^No session is known yet|user@laptop/)
    expect((await home.cli(['status'])).stdout).toMatch(/Nobody is online\.\n$/)
  })

  test('a remote one that does not answer ends every verb that needs it with 3', async () => {
    await using home = await createHome()
    const closed = await blockPort()
    await closed[Symbol.asyncDispose]()
    const env = { CLAUDE_PEERS_BROKER_URL: `http://0.0.0.0:${closed.port}`, CLAUDE_PEERS_TOKEN: 'x' }
    for (const args of [['status'], ['peers'], ['log'], ['message', '1'], ['inbox'], ['watch']]) {
      const { code, stdout, stderr } = await home.cli(args, { env })
      expect([args, code, stdout + stderr]).toEqual([
        args,
        3,
        expect.stringMatching(/answer.*start it there/i),
      ])
    }
  })

  test('a port that something else has ends with 3 and says what to do', async () => {
    await using home = await createHome()
    await using taken = await blockPort()
    const env = { CLAUDE_PEERS_PORT: String(taken.port) }
    const { code, stderr } = await home.cli(['send', 'api', 'hello'], { env })
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(
        /cannot listen at .*set another "port" in ~\/\.claude-peers\.json \(or CLAUDE_PEERS_PORT\)/s,
      ),
    ])
  })
})

test('a setting that cannot be used is named', async () => {
  await using home = await createHome()
  await writeFile(`${home.path}/.claude-peers.json`, '{"broker_ulr": "http://x"}')
  for (const args of [['status'], ['peers'], ['migrate'], ['hub'], ['inbox']]) {
    const { code, stderr } = await home.cli(args)
    expect([args, code]).toEqual([args, args[0] === 'migrate' || args[0] === 'hub' ? 6 : 1])
    expect(stderr).toMatch(
      /claude-peers\.json line 1: "broker_ulr" is no setting\. Did you mean "broker_url"\?/,
    )
  }
})

test('a checkout that was not built says so', async () => {
  await using home = await createHome()
  await cp(dirname(BIN), `${home.path}/bin`, { recursive: true })
  const run = spawnSync(process.execPath, [`${home.path}/bin/claude-peers.cjs`, 'status'], {
    encoding: 'utf8',
  })
  expect([run.status, run.stdout, run.stderr]).toEqual([
    1,
    '',
    expect.stringMatching(/^claude-peers: .*npm run build.*\n$/),
  ])
})

test('a HOME that is not there is told with what it must be', async () => {
  await using home = await createHome()
  const { status, stderr } = spawnSync(process.execPath, [BIN, 'send', 'api', 'x'], {
    env: { ...home.env, HOME: `${home.path}/none` },
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/none\) must be a directory that you may write to/),
  ])
})
