import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../../lib/machine/config.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'claude-peers-config-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** The words of a refusal of the file; `undefined` when it was taken. */
function refusal(content: string, env: Record<string, string> = {}): string | undefined {
  writeFileSync(join(home, '.claude-peers.json'), content)
  try {
    readConfig({ HOME: home, ...env })
    return undefined
  } catch (cause) {
    if (cause instanceof ConfigError) return cause.message
    throw cause
  }
}

const at = (line: number) => `~/.claude-peers.json line ${line}: `
const EVERY = 'bind, port, database, broker_url, token, host, hosts, notify_command, expire_after_days'

describe('a key that is none is named with its line and the one that was meant:', () => {
  test.each([
    ['tokn', 'token'],
    ['Token', 'token'],
    ['brokerUrl', 'broker_url'],
    ['url', 'broker_url'],
    ['hostname', 'host'],
    ['notify', 'notify_command'],
  ])('%s, %s', (key, meant) => {
    expect(refusal(`{\n  "${key}": "x"\n}`)).toBe(`${at(2)}"${key}" is no setting. Did you mean "${meant}"?`)
  })

  test('or all that there are', () => {
    expect(refusal('{"colour": "x"}')).toBe(`${at(1)}"colour" is no setting. There are ${EVERY}.`)
    expect(refusal('{"__proto__": {"token": "x"}}')).toContain('"__proto__" is no setting.')
  })
})

describe('a value that cannot be used is told with its line and what it may be:', () => {
  const A_BIND = 'use one address of this machine, such as 100.64.0.1, without a port.'
  const A_URL = 'use a URL such as http://studio:7899.'
  const A_PORT = 'use a port number from 1 to 65535, or 0 for any free one.'
  test.each([
    ['bind', '', A_BIND],
    ['bind', 5, A_BIND],
    ['bind', '100.64.0.1:7899', A_BIND],
    ['bind', 'http://100.64.0.1', A_BIND],
    ['bind', 'fe80::1%eth0', A_BIND],
    ['port', '7899', `${A_PORT} Write it without quotes.`],
    ['port', 7899.5, A_PORT],
    ['port', -1, A_PORT],
    ['port', 65_536, A_PORT],
    ['database', 'peers.db', 'use an absolute path.'],
    ['broker_url', 'studio:7899', A_URL],
    ['broker_url', 'ftp://studio', A_URL],
    ['broker_url', 'http://', A_URL],
    ['broker_url', null, A_URL],
    ['broker_url', 'ws://studio:7899', 'write http:// here; the WebSocket goes to the same place.'],
    ['broker_url', 'wss://studio', 'write https:// here; the WebSocket goes to the same place.'],
    [
      'broker_url',
      'http://me:secret-of-mine@studio',
      'leave out the name and password before the @; the secret is "token".',
    ],
    ['broker_url', 'http://studio/?token=secret-of-mine', 'leave out what follows the ? or #.'],
    ['broker_url', 'http://studio/#secret-of-mine', 'leave out what follows the ? or #.'],
    ['token', 'secret-of-mine\n', 'use up to 512 letters, digits and signs, without spaces.'],
    ['token', '', 'use up to 512 letters, digits and signs, without spaces.'],
    ['host', ['a'], 'use a name with a letter from a to z or a digit.'],
    ['host', '…', 'use a name with a letter from a to z or a digit.'],
    ['hosts', 'studio', 'use a list of names or addresses, such as ["studio.example.ts.net"].'],
    ['hosts', ['studio:80'], 'use a name or address without port or scheme.'],
    ['hosts', ['0.0.0.0'], 'use a name or address without port or scheme.'],
    ['expire_after_days', 0, 'use whole days, 1 to 365.'],
    ['expire_after_days', 366, 'use whole days, 1 to 365.'],
    ['expire_after_days', 1.5, 'use whole days, 1 to 365.'],
    ['expire_after_days', '7', 'use whole days, 1 to 365. Write it without quotes.'],
    ['notify_command', 3, 'use a command of up to 4096 characters, or "off".'],
  ])('%s: %j', (key, value, words) => {
    const said = refusal(JSON.stringify({ [key]: value }, undefined, 2))
    expect(said).toBe(`${at(key === 'hosts' && typeof value === 'object' ? 3 : 2)}"${key}": ${words}`)
  })

  test.each([
    '0.0.0.0',
    '::',
    '*',
    '0',
    '0x0',
    '::0',
    '[::]',
    '::ffff:0.0.0.0',
    '000.0.0.0',
    '0.0',
    '0.0.0.0.',
  ])('a bind to every network, spelt %s', (bind) => {
    const words = 'that is every network; use one address of this machine, or "any" if you want that.'
    expect(refusal(JSON.stringify({ bind }))).toBe(`${at(1)}"bind": ${words}`)
    expect(refusal('', { CLAUDE_PEERS_BIND: bind })).toBe(`CLAUDE_PEERS_BIND: ${words}`)
  })

  test.each(['"text"', 'null', '[]', '3'])('%s instead of settings', (content) => {
    expect(refusal(content)).toBe(`${at(1)}settings stand in an object, such as {"host": "studio"}.`)
  })
})

describe('what is no JSON is told with its line:', () => {
  const broken = (reason: string) => `this is not valid JSON: ${reason}. Mend it or remove the file.`
  test.each([
    ['{"token": "secret-of-mine", oops}', 1, broken('texts stand in double quotes')],
    ['{\n"token": secret-of-mine}', 2, broken('texts stand in double quotes')],
    ["{\n'token': 'secret-of-mine'}", 2, broken('texts stand in double quotes')],
    ['{\n"token": "secret-of-mine\n}', 2, broken('a text has no closing quote')],
    ['{\n"token": "secret-of-mine"\n"host": "a"}', 3, broken('a comma is missing before it')],
    ['{\n"token" "secret-of-mine"}', 2, broken('a colon is missing after the key')],
    ['{\n"token": "secret-of-mine"', 2, broken('the } at the end is missing')],
    ['{"hosts": ["a"\n}', 2, broken('a comma is missing before it')],
    ['{"token": "secret-of-mine"}\n}', 2, broken('more follows after the end')],
    ['{\n  // of the fleet\n  "token": "x"}', 2, 'JSON has no comments. Take this one out.'],
    ['{\n  "token": "x" /* mine */}', 2, 'JSON has no comments. Take this one out.'],
    ['{\n  "token": "x",\n}', 2, 'take out the comma after the last value.'],
    ['{\n  "hosts": ["x",\n]}', 2, 'take out the comma after the last value.'],
  ])('%j', (content, line, words) => {
    expect(refusal(content)).toBe(at(line) + words)
  })

  test('a key that stands there twice', () => {
    const words = '"token" stands here a second time. Remove one.'
    expect(refusal('{\n  "token": "secret-of-mine",\n  "host": "a",\n  "token": "b"\n}')).toBe(at(4) + words)
    expect(refusal('{"token": "\\": ", "host": "a: \\"b\\": c"}', { CLAUDE_PEERS_TOKEN: '' })).toMatch(
      /"token": /,
    )
    expect(refusal('{"notify_command": "say \\"a\\": b", "host": "x"}')).toBeUndefined()
  })
})

test('several problems are told together, in the order of their lines', () => {
  const content = `{
  "hots": ["a"], // names
  "port": "7899",
  "token": "a b",
  "token": "secret-of-mine",
}`
  expect(refusal(content, { CLAUDE_PEERS_DB: 'peers.db', CLAUDE_PEERS_PORT: 'x' })).toBe(
    [
      `${at(2)}"hots" is no setting. Did you mean "hosts"?`,
      `${at(2)}JSON has no comments. Take this one out.`,
      `${at(3)}"port": use a port number from 1 to 65535, or 0 for any free one. Write it without quotes.`,
      `${at(5)}"token" stands here a second time. Remove one.`,
      `${at(5)}take out the comma after the last value.`,
      'CLAUDE_PEERS_PORT: use a port number from 1 to 65535, or 0 for any free one.',
      'CLAUDE_PEERS_DB: use an absolute path.',
    ].join(' '),
  )
})

test.each([
  ['CLAUDE_PEERS_PORT', 'x', 'use a port number from 1 to 65535, or 0 for any free one'],
  ['CLAUDE_PEERS_PORT', '-1', 'use a port number from 1 to 65535, or 0 for any free one'],
  ['CLAUDE_PEERS_PORT', '65536', 'use a port number from 1 to 65535, or 0 for any free one'],
  ['CLAUDE_PEERS_PORT', '7899.5', 'use a port number from 1 to 65535, or 0 for any free one'],
  ['CLAUDE_PEERS_HOST', '@@@', 'use a name with a letter from a to z or a digit'],
  ['CLAUDE_PEERS_HOSTS', 'http://a', 'use a name or address without port or scheme'],
  ['CLAUDE_PEERS_DB', 'peers.db', 'use an absolute path'],
  ['CLAUDE_PEERS_DB', ':memory:', 'use an absolute path'],
  ['CLAUDE_PEERS_BROKER_URL', 'studio', 'use a URL such as http://studio:7899'],
  ['CLAUDE_PEERS_TOKEN', 'a b', 'use up to 512 letters, digits and signs, without spaces'],
])('a variable that cannot be used is named: %s=%s', (name, value, words) => {
  expect(refusal('', { [name]: value })).toBe(`${name}: ${words}.`)
})

test('a file that cannot be read is named', () => {
  const path = join(home, '.claude-peers.json')
  mkdirSync(path)
  expect(() => readConfig({ HOME: home })).toThrow(new ConfigError(`${path} cannot be read (EISDIR).`))
})

test('whatever is in the file, a refusal names a line and quotes no value', () => {
  const secret = 'zq9-secret-of-mine-zq9'
  const mangle = fc.tuple(fc.nat(200), fc.nat(6), fc.string({ maxLength: 3 }))
  fc.assert(
    fc.property(fc.array(mangle, { minLength: 1, maxLength: 4 }), (changes) => {
      let content = `{\n  "token": "${secret}",\n  "host": "studio",\n  "hosts": ["${secret} x"]\n}`
      for (const [place, length, text] of changes) {
        content = content.slice(0, place) + text + content.slice(place + length)
      }
      const said = refusal(content)
      expect(said ?? at(1)).toMatch(/^~\/\.claude-peers\.json line \d+: /)
      expect(said ?? '').not.toContain('secret-of-mine')
    }),
  )
})
