import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, hostname, networkInterfaces, tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readConfig } from '../../lib/machine/config.ts'
import { toPaths } from '../../lib/machine/paths.ts'
import { DAY_MS } from '../../lib/machine/settings.ts'

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

test('without any setting the hub is on this machine, on port 7899 of the loopback', () => {
  expect(read()).toMatchObject({
    port: 7899,
    bind: '127.0.0.1',
    database: join(home, '.claude-peers.db'),
    brokerUrl: 'http://127.0.0.1:7899',
    remote: false,
    token: undefined,
    expireAfterMs: 7 * DAY_MS,
    host: hostname().split('.')[0],
  })
})

test('the file is taken over what is built in, and the environment over the file', () => {
  write({ bind: '100.64.0.1', token: 'of-the-file', host: 'studio' })
  expect(read()).toMatchObject({
    bind: '100.64.0.1',
    token: 'of-the-file',
    host: 'studio',
    brokerUrl: 'http://127.0.0.1:7899',
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

test('every setting has a key in the file and a variable, and tells where it comes from', () => {
  const file = {
    bind: '100.64.0.1',
    port: 8001,
    database: '/var/file.db',
    broker_url: 'http://studio:1',
    token: 'of-the-file',
    host: 'studio',
    hosts: ['studio.example.ts.net.', '[FD7A::1]'],
    notify_command: 'tell',
    expire_after_days: 14,
  }
  write(file)
  const ofFile = read()
  expect(ofFile).toMatchObject({
    bind: '100.64.0.1',
    port: 8001,
    database: '/var/file.db',
    brokerUrl: 'http://studio:1',
    remote: true,
    token: 'of-the-file',
    host: 'studio',
    hosts: ['studio.example.ts.net', 'fd7a::1'],
    notify: { command: 'tell' },
    expireAfterMs: 14 * DAY_MS,
  })
  expect(new Set(Object.values(ofFile.origins))).toEqual(new Set(['file']))
  expect(Object.keys(ofFile.origins)).toEqual(Object.keys(file))
  const ofEnvironment = read({
    CLAUDE_PEERS_BIND: 'any',
    CLAUDE_PEERS_PORT: '0',
    CLAUDE_PEERS_DB: '/var/environment.db',
    CLAUDE_PEERS_BROKER_URL: 'https://other/',
    CLAUDE_PEERS_TOKEN: 'of-the-environment',
    CLAUDE_PEERS_HOST: 'laptop',
    CLAUDE_PEERS_HOSTS: 'one, two.example,',
    CLAUDE_PEERS_NOTIFY_COMMAND: 'off',
    CLAUDE_PEERS_EXPIRE_AFTER_DAYS: '365',
  })
  expect(ofEnvironment).toMatchObject({
    bind: 'any',
    port: 0,
    database: '/var/environment.db',
    brokerUrl: 'https://other',
    token: 'of-the-environment',
    host: 'laptop',
    hosts: ['one', 'two.example'],
    notify: 'off',
    expireAfterMs: 365 * DAY_MS,
  })
  expect(new Set(Object.values(ofEnvironment.origins))).toEqual(new Set(['environment']))
  write({ host: 'studio' })
  expect(read({ CLAUDE_PEERS_PORT: '1' }).origins).toMatchObject({
    bind: 'default',
    port: 'environment',
    host: 'file',
  })
})

test.each([
  ['127.0.0.1', '127.0.0.1', 'http://127.0.0.1:7899'],
  ['127.0.0.2', '127.0.0.2', 'http://127.0.0.2:7899'],
  ['127.1', '127.0.0.1', 'http://127.0.0.1:7899'],
  ['localhost', 'localhost', 'http://localhost:7899'],
  ['::1', '::1', 'http://[::1]:7899'],
  ['[::1]', '::1', 'http://[::1]:7899'],
  ['100.64.0.1', '100.64.0.1', 'http://127.0.0.1:7899'],
  ['FD7A:115C:A1E0:0::1', 'fd7a:115c:a1e0::1', 'http://127.0.0.1:7899'],
  ['Studio.example.ts.net.', 'studio.example.ts.net', 'http://127.0.0.1:7899'],
  ['any', 'any', 'http://127.0.0.1:7899'],
])('a hub bound to %s is one of %s, and its own machine finds it at %s', (given, bind, brokerUrl) => {
  write({ bind: given })
  expect(read()).toMatchObject({ bind, brokerUrl, remote: false })
})

test('the two files of claude-peers v2 work as they stand', () => {
  const hub = {
    bind: '100.101.102.103',
    broker_url: 'http://100.101.102.103:7899',
    token: '3c1f0e2d4b5a69788796a5b4c3d2e1f0',
    host: 'ultra',
  }
  write(hub)
  expect(read()).toMatchObject({
    bind: hub.bind,
    brokerUrl: 'http://127.0.0.1:7899',
    remote: false,
    token: hub.token,
    host: 'ultra',
  })
  const { bind, ...others } = hub
  write({ ...others, host: 'laptop' })
  expect(read()).toMatchObject({
    bind: '127.0.0.1',
    brokerUrl: `http://${bind}:7899`,
    remote: true,
    token: hub.token,
    host: 'laptop',
  })
})

test('a byte order mark before the settings is none of them', () => {
  write('\uFEFF{"host": "studio"}')
  expect(read().host).toBe('studio')
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
  const names = [
    'PORT',
    'DB',
    'BIND',
    'BROKER_URL',
    'TOKEN',
    'HOST',
    'HOSTS',
    'NOTIFY_COMMAND',
    'EXPIRE_AFTER_DAYS',
  ].map((name) => `CLAUDE_PEERS_${name}`)
  expect(read(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(read())
  expect(readConfig({ HOME: '' }).paths.home).toBe(homedir())
})

test('an empty HOME is none: nothing goes into the current directory', () => {
  vi.stubEnv('HOME', '')
  expect(isAbsolute(toPaths().database)).toBe(true)
  vi.unstubAllEnvs()
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

  test.each(['http://127.0.0.1:8899', 'http://localhost', 'https://localhost:7899'])(
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

  test.each([
    ['http://studio.example.ts.net.:7899', 'http://studio.example.ts.net:7899'],
    ['http://[FD7A:115C:A1E0::1]:7899', 'http://[fd7a:115c:a1e0::1]:7899'],
    ['http://studio:80', 'http://studio'],
    ['https://studio', 'https://studio'],
    ['https://studio.example.ts.net/peers/', 'https://studio.example.ts.net/peers'],
  ])('and its URL has one spelling: %s is %s', (given, brokerUrl) => {
    write({ broker_url: given })
    expect(read()).toMatchObject({ remote: true, brokerUrl })
  })

  test.each([
    ['the address that it is bound to', { bind: '100.64.0.1' }, 'http://100.64.0.1:7899'],
    ['its IPv6 address', { bind: 'fd7a::1' }, 'http://[fd7a:0::1]:7899'],
    ['its label', { host: 'Ultra' }, 'http://ultra:7899'],
    ['its host name', {}, `http://${hostname()}:7899`],
    ['one of its other names', { hosts: ['ultra.example.ts.net'] }, 'http://ultra.example.ts.net.:7899'],
    ['one of its own ports', { port: 80, host: 'ultra' }, 'http://ultra'],
  ])('but not on the machine where that is %s', (_, settings, url) => {
    write({ ...settings, broker_url: url })
    expect(read()).toMatchObject({
      remote: false,
      brokerUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/),
    })
  })

  test('nor where it is bound to any address and that is one of its own', () => {
    const own = Object.values(networkInterfaces())
      .flat()
      .find((one) => one && !one.internal && one.family === 'IPv4')
    const url = `http://${own?.address ?? '127.0.0.1'}:7899`
    write({ bind: 'any', broker_url: url })
    expect(read().remote).toBe(false)
    write({ bind: 'any', broker_url: 'http://192.0.2.1:7899' })
    expect(read().remote).toBe(true)
  })
})
