import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  listEndedCards,
  listLiveCards,
  readCard,
  readMailFlag,
  removeCard,
  setMailFlag,
  sweepCards,
  TOUCH_MS,
  touchCard,
  writeCard,
  type Card,
} from '../../lib/machine/cards.ts'
import { ownIdentity, toLabel } from '../../lib/machine/processes.ts'

let directory: string
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'claude-peers-cards-')), 'sessions')
})
afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }))

/** Above the largest number that a process gets. */
const NOBODY = 2 ** 22 + 1
const DAY = 24 * 60 * 60_000
const own = ownIdentity()
const label = toLabel(own.pid)

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
    expect((statSync(join(directory, `${label}.json`)).mode & 0o777).toString(8)).toBe('600')
  })

  test('that is not there, or not whole, counts as none', () => {
    expect(readCard(directory, own.pid)).toBeUndefined()
    writeCard(directory, toCard(own))
    for (const text of ['', '{', 'null', '[]', JSON.stringify({ ...toCard(own), key: 1 })]) {
      writeFileSync(join(directory, `${label}.json`), text)
      expect(readCard(directory, own.pid)).toBeUndefined()
    }
  })

  test('is removed with its mail flag', () => {
    writeCard(directory, toCard(own))
    setMailFlag(directory, own.pid, 'wake')
    expect(readdirSync(directory).toSorted()).toEqual([`${label}.json`, `${label}.mail`])
    expect(readMailFlag(directory, own.pid)).toBe('wake')
    setMailFlag(directory, own.pid, 'fyi')
    expect(readMailFlag(directory, own.pid)).toBe('fyi')
    setMailFlag(directory, own.pid, undefined)
    setMailFlag(directory, own.pid, undefined)
    expect(readMailFlag(directory, own.pid)).toBeUndefined()
    expect(existsSync(join(directory, `${label}.mail`))).toBe(false)
    setMailFlag(directory, own.pid, 'wake')
    removeCard(directory, own.pid)
    expect(readdirSync(directory)).toEqual([])
  })

  test('of a process that is gone is swept, and so is that of a reused number', async () => {
    writeCard(directory, toCard({ ...own, pid: NOBODY }))
    setMailFlag(directory, NOBODY, 'fyi')
    writeCard(directory, toCard(own))
    writeFileSync(join(directory, 'notes.txt'), 'mine')
    await sweepCards(directory)
    expect(readdirSync(directory).toSorted()).toEqual([`${label}.json`, 'notes.txt'])
    writeCard(directory, toCard({ ...own, start: 'another start' }))
    await sweepCards(directory)
    expect(readdirSync(directory)).toEqual(['notes.txt'])
  })

  test('of a session that has ended stays for a week where it names a transcript: its mail is still to be settled', async () => {
    writeCard(directory, { ...toCard({ pid: NOBODY, start: 'x' }), transcript: '/t/one.jsonl' })
    setMailFlag(directory, NOBODY, 'fyi')
    await sweepCards(directory)
    expect(readdirSync(directory)).toEqual([`${toLabel(NOBODY)}.json`])
    const old = Date.now() / 1_000 - 8 * 24 * 60 * 60
    utimesSync(join(directory, `${toLabel(NOBODY)}.json`), old, old)
    await sweepCards(directory)
    expect(readdirSync(directory)).toEqual([])
  })

  test('takes with it what a writer left that was killed, the bell, and the marks of turn and waiter', async () => {
    const kinds = [
      'bell',
      'busy',
      'waiter',
      `json.${toLabel(NOBODY)}.tmp`,
      `mail.${toLabel(NOBODY)}.tmp`,
      `waiter.${NOBODY}`,
    ]
    mkdirSync(directory, { recursive: true })
    const ours = [`${label}.json.${toLabel(NOBODY)}.tmp`, `${label}.json.${label}.tmp`]
    for (const name of [...kinds.map((kind) => `${toLabel(NOBODY)}.${kind}`), ...ours]) {
      writeFileSync(join(directory, name), '')
    }
    expect(await sweepCards(directory)).toBe(kinds.length + 1)
    expect(readdirSync(directory)).toEqual([`${label}.json.${label}.tmp`])
  })

  test('with a directory in its place counts as none', () => {
    mkdirSync(join(directory, `${label}.json`), { recursive: true })
    expect(readCard(directory, own.pid)).toBeUndefined()
  })

  test.each([
    ['a session id that is no text', { sessionIds: [0] }],
    ['a client without a number', { claude: {} }],
    ['a server whose start is no text', { mcp: { pid: 1, start: 1 } }],
    ['a hub that is no process', { hub: 'studio' }],
    ['a transcript that is no path', { transcript: {} }],
    ['earlier transcripts that are none', { past: [{ path: 1 }] }],
  ])('with %s counts as none: its session writes it anew', (_, spoilt) => {
    writeCard(directory, toCard(own))
    const path = join(directory, `${label}.json`)
    writeFileSync(path, JSON.stringify({ ...toCard(own), ...spoilt }))
    expect(readCard(directory, own.pid)).toBeUndefined()
  })

  test('of a client that is gone is swept also where a directory has its name', async () => {
    mkdirSync(join(directory, `${toLabel(NOBODY)}.json`, 'within'), { recursive: true })
    expect(await sweepCards(directory)).toBe(1)
    expect(readdirSync(directory)).toEqual([])
  })

  test('of another pid namespace is kept while somebody touches one of its files, and swept a week after the last', async () => {
    const now = Date.now()
    writeCard(directory, toCard(own))
    const inside = toLabel(own.pid, '4026539999')
    const names = ['json', 'bell', 'busy'].map((kind) => `${inside}.${kind}`)
    const touch = (name: string, at: number) => {
      writeFileSync(join(directory, name), '{}')
      utimesSync(join(directory, name), at / 1_000, at / 1_000)
    }
    for (const name of names) touch(name, now - 30 * DAY)
    touch(names[0]!, now - 6 * DAY)
    expect(await sweepCards(directory, now)).toBe(0)
    expect(await sweepCards(directory, now + DAY + 1)).toBe(names.length)
    expect(readdirSync(directory)).toEqual([`${label}.json`])
  })

  test('of another pid namespace counts as that of a live session while its server touches it, never as that of an ended one', () => {
    const inside = { pid: NOBODY, start: 'then', namespace: '4026539999' }
    const file = join(directory, `${toLabel(NOBODY, inside.namespace)}.json`)
    mkdirSync(directory, { recursive: true })
    writeFileSync(file, JSON.stringify({ ...toCard(inside), mcp: inside }))
    expect(listLiveCards(directory)).toMatchObject([{ claude: inside }])
    utimesSync(file, new Date(), new Date(Date.now() - 4 * TOUCH_MS))
    expect(listLiveCards(directory)).toEqual([])
    expect(listEndedCards(directory)).toEqual([])
  })

  test('is touched by its own session alone', () => {
    writeCard(directory, toCard(own))
    const file = join(directory, `${label}.json`)
    utimesSync(file, 1, 1)
    touchCard(directory, NOBODY)
    expect(statSync(file).mtimeMs).toBe(1_000)
    touchCard(directory, own.pid)
    expect(Date.now() - statSync(file).mtimeMs).toBeLessThan(10_000)
  })

  test('cannot be swept where there are none', async () => {
    expect(await sweepCards(join(directory, 'nowhere'))).toBe(0)
  })
})
