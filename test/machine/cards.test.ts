import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  readCard,
  readMailFlag,
  removeCard,
  setMailFlag,
  sweepCards,
  writeCard,
  type Card,
} from '../../lib/machine/cards.ts'
import { readProcess } from '../../lib/machine/processes.ts'

let directory: string
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'claude-peers-cards-')), 'sessions')
})
afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }))

/** Above the largest number that a process gets. */
const NOBODY = 2 ** 22 + 1
const own = { pid: process.pid, start: readProcess(process.pid)!.start }

const toCard = (claude: Card['claude']): Card => ({
  hubUrl: 'http://127.0.0.1:7899',
  token: 'token',
  peerId: 'p_1',
  name: 'api',
  key: 'p_1.secret',
  toolPrefix: 'mcp__claude-peers__',
  claude,
  mcp: own,
  sessionIds: ['one'],
})

describe('a session card', () => {
  test('is read as it was written, by its owner only', () => {
    writeCard(directory, toCard(own))
    expect(readCard(directory, own.pid)).toEqual(toCard(own))
    expect((statSync(directory).mode & 0o777).toString(8)).toBe('700')
    expect((statSync(join(directory, `${own.pid}.json`)).mode & 0o777).toString(8)).toBe('600')
  })

  test('that is not there, or not whole, counts as none', () => {
    expect(readCard(directory, own.pid)).toBeUndefined()
    writeCard(directory, toCard(own))
    for (const text of ['', '{', 'null', '[]', JSON.stringify({ ...toCard(own), key: 1 })]) {
      writeFileSync(join(directory, `${own.pid}.json`), text)
      expect(readCard(directory, own.pid)).toBeUndefined()
    }
  })

  test('is removed with its mail flag', () => {
    writeCard(directory, toCard(own))
    setMailFlag(directory, own.pid, 'wake')
    expect(readdirSync(directory).toSorted()).toEqual([`${own.pid}.json`, `${own.pid}.mail`])
    expect(readMailFlag(directory, own.pid)).toBe('wake')
    setMailFlag(directory, own.pid, 'fyi')
    expect(readMailFlag(directory, own.pid)).toBe('fyi')
    setMailFlag(directory, own.pid, undefined)
    setMailFlag(directory, own.pid, undefined)
    expect(readMailFlag(directory, own.pid)).toBeUndefined()
    expect(existsSync(join(directory, `${own.pid}.mail`))).toBe(false)
    setMailFlag(directory, own.pid, 'wake')
    removeCard(directory, own.pid)
    expect(readdirSync(directory)).toEqual([])
  })

  test('of a process that is gone is swept, and so is that of a reused number', () => {
    writeCard(directory, toCard({ pid: NOBODY, start: 'x' }))
    setMailFlag(directory, NOBODY, 'fyi')
    writeCard(directory, toCard(own))
    writeFileSync(join(directory, 'notes.txt'), 'mine')
    sweepCards(directory)
    expect(readdirSync(directory).toSorted()).toEqual([`${own.pid}.json`, 'notes.txt'])
    writeCard(directory, toCard({ pid: own.pid, start: 'another start' }))
    sweepCards(directory)
    expect(readdirSync(directory)).toEqual(['notes.txt'])
  })

  test('takes with it what a writer left that was killed, the bell, and the marks of turn and waiter', () => {
    const kinds = ['bell', 'busy', 'waiter', `json.${NOBODY}.tmp`, `mail.${NOBODY}.tmp`, `waiter.${NOBODY}`]
    mkdirSync(directory, { recursive: true })
    const ours = [`${own.pid}.json.${NOBODY}.tmp`, `${own.pid}.json.${own.pid}.tmp`]
    for (const name of [...kinds.map((kind) => `${NOBODY}.${kind}`), ...ours]) {
      writeFileSync(join(directory, name), '')
    }
    expect(sweepCards(directory)).toBe(kinds.length + 1)
    expect(readdirSync(directory)).toEqual([`${own.pid}.json.${own.pid}.tmp`])
  })

  test('with a directory in its place counts as none', () => {
    mkdirSync(join(directory, `${own.pid}.json`), { recursive: true })
    expect(readCard(directory, own.pid)).toBeUndefined()
  })

  test.each([
    ['a session id that is no text', { sessionIds: [0] }],
    ['a client without a number', { claude: {} }],
    ['a server whose start is no text', { mcp: { pid: 1, start: 1 } }],
    ['a hub that is no process', { hub: 'studio' }],
    ['a transcript that is no path', { transcript: {} }],
  ])('with %s counts as none: its session writes it anew', (_, spoilt) => {
    writeCard(directory, toCard(own))
    const path = join(directory, `${own.pid}.json`)
    writeFileSync(path, JSON.stringify({ ...toCard(own), ...spoilt }))
    expect(readCard(directory, own.pid)).toBeUndefined()
  })

  test('of a client that is gone is swept also where a directory has its name', () => {
    mkdirSync(join(directory, `${NOBODY}.json`, 'within'), { recursive: true })
    expect(sweepCards(directory)).toBe(1)
    expect(readdirSync(directory)).toEqual([])
  })

  test('cannot be swept where there are none', () => {
    expect(sweepCards(join(directory, 'nowhere'))).toBe(0)
  })
})
