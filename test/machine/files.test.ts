import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPrivate, parseJson, readIfThere, writePrivate } from '../../lib/machine/files.ts'
import { readMachineId } from '../../lib/machine/machine-id.ts'
import { makePrivateDir } from '../../lib/machine/paths.ts'
import { ownIdentity, ownNamespace } from '../../lib/machine/processes.ts'
import {
  readLiveRendezvous,
  readRendezvous,
  removeRendezvous,
  writeRendezvous,
} from '../../lib/machine/rendezvous.ts'
import { ensureToken, readToken } from '../../lib/machine/token.ts'
import { linklessNode } from '../harness/linkless.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'claude-peers-files-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const at = (name: string) => join(directory, name)
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
const run = promisify(execFile)

/** Runs the same words in several processes at once, and gives what each printed. */
async function race(count: number, words: string, nodeOptions = ''): Promise<string[]> {
  const source = `import { readMachineId } from '${import.meta.dirname}/../../lib/machine/machine-id.ts'
    import { ensureToken } from '${import.meta.dirname}/../../lib/machine/token.ts'
    import { createPrivate } from '${import.meta.dirname}/../../lib/machine/files.ts'
    process.stdout.write(${words})`
  const runs = Array.from({ length: count }, () =>
    run(process.execPath, ['--input-type=module', '-e', source], {
      env: { ...process.env, NODE_OPTIONS: nodeOptions },
    }),
  )
  return (await Promise.all(runs)).map(({ stdout }) => stdout)
}

describe('a private file', () => {
  test('is readable by its owner only, also when it was there with other rights', () => {
    writeFileSync(at('file'), 'old')
    chmodSync(at('file'), 0o666)
    writePrivate(at('file'), 'new')
    expect(readFileSync(at('file'), 'utf8')).toBe('new')
    expect(modeOf(at('file'))).toBe('600')
    expect(readdirSync(directory)).toEqual(['file'])
  })

  test('that cannot be put in its place leaves nothing beside it', () => {
    mkdirSync(at('file/in the way'), { recursive: true })
    expect(() => writePrivate(at('file'), 'new')).toThrow('EISDIR')
    expect(readdirSync(directory)).toEqual(['file'])
  })

  test('that is made once keeps what was there first', () => {
    createPrivate(at('file'), 'first')
    createPrivate(at('file'), 'second')
    expect(readFileSync(at('file'), 'utf8')).toBe('first')
    expect(modeOf(at('file'))).toBe('600')
    expect(readdirSync(directory)).toEqual(['file'])
  })

  test('that is not there reads as nothing, and every other trouble is told', () => {
    expect(readIfThere(at('nothing'))).toBeUndefined()
    expect(() => readIfThere(directory)).toThrow('EISDIR')
  })

  test('that holds no JSON parses as nothing', () => {
    expect(parseJson('{"a":1}')).toEqual({ a: 1 })
    for (const text of [undefined, '', '{', 'x']) expect(parseJson(text)).toBeUndefined()
  })
})

test('a private directory is closed to others, also when it was open before', () => {
  mkdirSync(at('dir'))
  chmodSync(at('dir'), 0o777)
  makePrivateDir(at('dir'))
  makePrivateDir(at('new/below'))
  expect([modeOf(at('dir')), modeOf(at('new/below'))]).toEqual(['700', '700'])
})

describe('the machine’s id', () => {
  test('is made once', () => {
    const id = readMachineId(at('id'))
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)
    expect(readMachineId(at('id'))).toBe(id)
    expect(modeOf(at('id'))).toBe('600')
  })

  test('is kept when somebody wrote it by hand', () => {
    writeFileSync(at('id'), 'the-studio-machine\n')
    expect(readMachineId(at('id'))).toBe('the-studio-machine')
  })

  test.each(['', 'short', '../../etc/passwd', 'x'.repeat(100)])('is made anew in the place of %j', (text) => {
    writeFileSync(at('id'), text)
    const id = readMachineId(at('id'))
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(readMachineId(at('id'))).toBe(id)
  })

  test('is the same for processes that race for it', async () => {
    const ids = await race(6, `readMachineId('${at('id')}')`)
    expect(new Set(ids).size).toBe(1)
    expect(readdirSync(directory)).toEqual(['id'])
  })
})

describe('where there are no hard links', () => {
  const left = () => readdirSync(directory).filter((name) => name !== 'no-links.cjs')

  test('one file is made by processes that race for it, and is whole', async () => {
    const options = await linklessNode(directory)
    const ids = await race(6, `readMachineId('${at('id')}')`, options)
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
    expect(left()).toEqual(['id'])
    expect(modeOf(at('id'))).toBe('600')
  })

  test('a token is made, and what is made once is kept', async () => {
    const [token] = await race(1, `ensureToken('${at('token')}')`, await linklessNode(directory))
    expect(token).toMatch(/^[\w-]{43}$/)
    await race(
      1,
      `String(createPrivate('${at('file')}', 'first'), createPrivate('${at('file')}', 'second'))`,
      await linklessNode(directory),
    )
    expect(readFileSync(at('file'), 'utf8')).toBe('first')
    expect(left()).toEqual(['file', 'token'])
  })

  test('a lock that a killed process left keeps none from its file', async () => {
    mkdirSync(at('id.lock'))
    utimesSync(at('id.lock'), 0, 0)
    const ids = await race(3, `readMachineId('${at('id')}')`, await linklessNode(directory))
    expect(new Set(ids).size).toBe(1)
    expect(left()).toEqual(['id'])
  })

  test('what cannot be made says why', async () => {
    const options = await linklessNode(directory)
    const words = `(() => { try { createPrivate('${at('nowhere/file')}', 'x') } catch (cause) { return cause.code } })()`
    expect(await race(1, words, options)).toEqual(['ENOENT'])
  })
})

describe('the token of this machine', () => {
  test('is made once, and closed to others each time', () => {
    const token = ensureToken(at('token'))
    expect(token).toMatch(/^[\w-]{43}$/)
    chmodSync(at('token'), 0o644)
    expect(ensureToken(at('token'))).toBe(token)
    expect(modeOf(at('token'))).toBe('600')
    expect(readToken(at('token'))).toBe(token)
  })

  test('is not there before a hub has run', () => {
    expect(readToken(at('token'))).toBeUndefined()
    expect(existsSync(at('token'))).toBe(false)
  })

  test.each(['', ' \n', 'short', 'two words of a text', 'x'.repeat(513)])('cannot be %j', (text) => {
    writeFileSync(at('token'), text)
    expect(readToken(at('token'))).toBeUndefined()
    expect(ensureToken(at('token'))).toMatch(/^[\w-]{43}$/)
  })

  test('is the same for processes that race for it', async () => {
    const tokens = await race(6, `ensureToken('${at('token')}')`)
    expect(new Set(tokens).size).toBe(1)
    expect(readdirSync(directory)).toEqual(['token'])
  })
})

describe('the rendezvous', () => {
  const here = {
    url: 'http://127.0.0.1:7899',
    tokenPath: '/x/token',
    pid: 100,
    namespace: ownNamespace(),
    version: '3.0.0',
    database: '/x/db',
  }

  test('is read as it was written, by its owner only', () => {
    writeRendezvous(at('hub.json'), here)
    expect(readRendezvous(at('hub.json'))).toEqual(here)
    expect(modeOf(at('hub.json'))).toBe('600')
  })

  test.each([
    '',
    '{',
    '[]',
    '{"url":"x"}',
    '{"url":"http://a","tokenPath":"t","pid":-1,"version":"1","database":"/x"}',
  ])('that holds %j counts as none', (text) => {
    writeFileSync(at('hub.json'), text)
    expect(readRendezvous(at('hub.json'))).toBeUndefined()
  })

  test('that cannot be read counts as none', () => {
    mkdirSync(at('hub.json'))
    expect(readRendezvous(at('hub.json'))).toBeUndefined()
  })

  test('counts as that of a live hub only with the start time of its process', () => {
    const { pid, start } = ownIdentity()
    writeRendezvous(at('hub.json'), { ...here, pid, start })
    expect(readLiveRendezvous(at('hub.json'))).toMatchObject({ pid })
    for (const other of [{ pid }, { pid, start: `${start}0` }, { pid: 2 ** 22 + 1, start }]) {
      writeRendezvous(at('hub.json'), { ...here, ...other })
      expect(readLiveRendezvous(at('hub.json'))).toBeUndefined()
    }
  })

  test('is taken away by the hub that wrote it, and by no other', () => {
    writeRendezvous(at('hub.json'), here)
    removeRendezvous(at('hub.json'), { ...here, pid: 99 })
    removeRendezvous(at('hub.json'), { ...here, start: 'another' })
    expect(readRendezvous(at('hub.json'))).toEqual(here)
    removeRendezvous(at('hub.json'), here)
    expect(existsSync(at('hub.json'))).toBe(false)
    removeRendezvous(at('hub.json'), here)
  })
})
