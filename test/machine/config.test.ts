import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../../lib/machine/config.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'claude-peers-config-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const read = (env: Record<string, string> = {}) => readConfig({ HOME: home, ...env })
const write = (content: object | string) =>
  writeFileSync(
    join(home, '.claude-peers.json'),
    typeof content === 'string' ? content : JSON.stringify(content),
  )

/** The words of a refusal. */
function refusal(env: Record<string, string> = {}): string {
  try {
    read(env)
  } catch (cause) {
    if (cause instanceof ConfigError) return cause.message
    throw cause
  }
  throw new Error('the configuration was taken')
}

test('without any setting the hub is on this machine, on port 7899 of the loopback', () => {
  expect(read()).toMatchObject({
    port: 7899,
    bind: '127.0.0.1',
    database: join(home, '.claude-peers.db'),
    brokerUrl: 'http://127.0.0.1:7899',
    remote: false,
    token: undefined,
    host: hostname().split('.')[0],
  })
})

test('the file is taken over what is built in, and the environment over the file', () => {
  write({ bind: '100.64.0.1', token: 'of-the-file', host: 'studio' })
  expect(read()).toMatchObject({
    bind: '100.64.0.1',
    token: 'of-the-file',
    host: 'studio',
    brokerUrl: 'http://100.64.0.1:7899',
    remote: false,
  })
  const env = {
    CLAUDE_PEERS_PORT: '8000',
    CLAUDE_PEERS_DB: '/var/peers.db',
    CLAUDE_PEERS_BIND: '127.0.0.1',
    CLAUDE_PEERS_TOKEN: 'of-the-environment',
    CLAUDE_PEERS_HOST: 'laptop',
  }
  expect(read(env)).toMatchObject({
    port: 8000,
    database: '/var/peers.db',
    bind: '127.0.0.1',
    token: 'of-the-environment',
    host: 'laptop',
    brokerUrl: 'http://127.0.0.1:8000',
  })
})

test.each([
  ['a desktop notification, unless another way is set', undefined, undefined, 'desktop'],
  ['a command of the file', 'notify-me --now', undefined, { command: 'notify-me --now' }],
  [
    'a command of the environment before that of the file',
    'mine',
    ' "$HOME/bin/tell" ',
    { command: '"$HOME/bin/tell"' },
  ],
  ['nothing, where the file has an empty command', '', undefined, 'off'],
  ['nothing, where the file says off', 'off', undefined, 'off'],
  ['nothing, where the environment says off', 'mine', 'off', 'off'],
  ['what the file says, where the variable is empty', 'mine', '', { command: 'mine' }],
])('the person is told of unread mail by %s', (_, inFile, inEnvironment, notify) => {
  write({ ...(inFile !== undefined && { notify_command: inFile }) })
  expect(
    read({ ...(inEnvironment !== undefined && { CLAUDE_PEERS_NOTIFY_COMMAND: inEnvironment }) }).notify,
  ).toEqual(notify)
})

test('an empty variable and an empty file count as none', () => {
  write(' \n')
  const names = ['PORT', 'DB', 'BIND', 'BROKER_URL', 'TOKEN', 'HOST', 'NOTIFY_COMMAND'].map(
    (name) => `CLAUDE_PEERS_${name}`,
  )
  expect(read(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(read())
  expect(readConfig({ HOME: '' }).paths.home).toBe(homedir())
})

describe('the hub is elsewhere', () => {
  test.each([
    'http://studio:7899',
    'http://studio:7899/',
    'https://peers.example.com',
    'http://100.64.0.1:7899',
    'http://127.example.com:7899',
  ])('when its URL names another machine: %s', (url) => {
    write({ broker_url: url })
    expect(read()).toMatchObject({ remote: true, brokerUrl: url.replace(/\/$/, '') })
  })

  test.each(['http://127.0.0.1:8899', 'http://localhost:80', 'https://localhost:7899'])(
    'when its URL is not where a hub of this machine would listen, as at the end of a tunnel: %s',
    (url) => {
      expect(read({ CLAUDE_PEERS_BROKER_URL: url })).toMatchObject({ remote: true, brokerUrl: url })
    },
  )

  test.each([
    'http://127.0.0.1:7899',
    'http://localhost:7899',
    'http://[::1]:7899',
    'http://127.0.0.1:7899/',
  ])('but not when its URL is where the hub of this machine listens: %s', (url) => {
    expect(read({ CLAUDE_PEERS_BROKER_URL: url }).remote).toBe(false)
  })

  test('but not on the machine that is bound to that address', () => {
    write({ broker_url: 'http://100.64.0.1:7899', bind: '100.64.0.1' })
    expect(read().remote).toBe(false)
  })
})

describe('a setting that cannot be used is refused by name:', () => {
  test.each([
    ['{"token": "secret-of-mine", oops}', /not valid JSON \(line 1 column 29\)/],
    ['{"token": secret-of-mine}', /is not valid JSON\. Mend it or remove it\.$/],
    [
      '{"tokn":"x"}',
      /Unrecognized key: "tokn"\. It may hold bind, broker_url, token, host, notify_command\./,
    ],
    ['{"bind":""}', /bind: /],
    ['{"broker_url":"studio:7899"}', /broker_url: use a URL such as http:\/\/studio:7899/],
    ['{"token":"with\\nnewline"}', /token: use up to 512/],
    ['{"host":["a"]}', /host: /],
    ['{"host":"…"}', /host: use a name with a letter/],
    ['"text"', /expected object/],
    ['null', /expected object/],
  ])('%s', (content, words) => {
    write(content)
    const said = refusal()
    expect(said).toMatch(words)
    expect(said.startsWith(join(home, '.claude-peers.json'))).toBe(true)
    // The words may reach a model or a log.
    expect(said).not.toContain('secret-of-mine')
  })

  test.each([
    ['CLAUDE_PEERS_PORT', 'x', 'use a port number from 1 to 65535, or 0 for any free one'],
    ['CLAUDE_PEERS_PORT', '-1', 'use a port number from 1 to 65535, or 0 for any free one'],
    ['CLAUDE_PEERS_PORT', '65536', 'use a port number from 1 to 65535, or 0 for any free one'],
    ['CLAUDE_PEERS_PORT', '7899.5', 'use a port number from 1 to 65535, or 0 for any free one'],
    ['CLAUDE_PEERS_HOST', '@@@', 'use a name with a letter from a to z or a digit'],
    ['CLAUDE_PEERS_DB', 'peers.db', 'use an absolute path'],
    ['CLAUDE_PEERS_DB', ':memory:', 'use an absolute path'],
    ['CLAUDE_PEERS_BROKER_URL', 'studio', 'use a URL such as http://studio:7899'],
    ['CLAUDE_PEERS_TOKEN', 'a b', 'use up to 512 letters, digits and signs, without spaces'],
  ])('%s=%s', (name, value, words) => {
    expect(refusal({ [name]: value })).toBe(`${name}: ${words}.`)
  })

  test('a file that cannot be read', () => {
    mkdirSync(join(home, '.claude-peers.json'))
    expect(refusal()).toBe(`${join(home, '.claude-peers.json')} cannot be read (EISDIR).`)
  })
})
