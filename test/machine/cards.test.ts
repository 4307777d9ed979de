import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  readCard,
  removeCard,
  setMailFlag,
  sweepCards,
  writeCard,
  type Card,
} from '../../lib/machine/cards.ts'
import { readProcess } from '../../lib/machine/processes.ts'

const own = { pid: process.pid, start: readProcess(process.pid)?.start }
const card: Card = {
  hubUrl: 'http://127.0.0.1:7899',
  token: 'token',
  peerId: 'p_1',
  name: 'api',
  key: 'p_1.secret',
  toolPrefix: 'mcp__claude-peers__',
  claude: own,
  mcp: own,
  sessionIds: ['s1'],
}

let home: string
let directory: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'claude-peers-cards-'))
  directory = join(home, '.claude-peers', 'sessions')
})
afterEach(() => rmSync(home, { recursive: true }))

test('a card is read as it was written, by its owner only', () => {
  writeCard(directory, card)
  expect(readCard(directory, process.pid)).toEqual(card)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  expect(statSync(join(directory, `${process.pid}.json`)).mode & 0o777).toBe(0o600)
  expect(readdirSync(directory)).toEqual([`${process.pid}.json`])
})

test.each([
  ['nothing', undefined],
  ['half of one', JSON.stringify(card).slice(0, 50)],
  ['null', 'null'],
  ['one without a key', JSON.stringify({ ...card, key: undefined })],
  ['one without session ids', JSON.stringify({ ...card, sessionIds: 's1' })],
  ['one without a process', JSON.stringify({ ...card, claude: null })],
])('%s is no card', (_, content) => {
  mkdirSync(directory, { recursive: true })
  if (content !== undefined) writeFileSync(join(directory, '7.json'), content)
  expect(readCard(directory, 7)).toBeUndefined()
})

test('the flag goes up and down, and goes with the card', () => {
  writeCard(directory, card)
  const flag = join(directory, `${process.pid}.mail`)
  setMailFlag(directory, process.pid, true)
  setMailFlag(directory, process.pid, true)
  expect(existsSync(flag)).toBe(true)
  setMailFlag(directory, process.pid, false)
  setMailFlag(directory, process.pid, false)
  expect(existsSync(flag)).toBe(false)
  setMailFlag(directory, process.pid, true)
  removeCard(directory, process.pid)
  expect(readdirSync(directory)).toEqual([])
})

test('what belongs to processes that are gone is swept, and nothing else', () => {
  writeCard(directory, card)
  writeCard(directory, { ...card, claude: { pid: 999_999_998, start: 'x' } })
  // This pid lives, and is another process than the card's.
  writeCard(directory, { ...card, claude: { pid: process.ppid, start: 'before' } })
  for (const name of ['999999998.mail', '999999998.bell', '999999998.json.4.tmp', `${process.ppid}.mail`]) {
    writeFileSync(join(directory, name), '')
  }
  setMailFlag(directory, process.pid, true)
  writeFileSync(join(directory, 'notes.txt'), '')
  expect(sweepCards(directory)).toBe(6)
  expect(readdirSync(directory).toSorted()).toEqual(
    [`${process.pid}.json`, `${process.pid}.mail`, 'notes.txt'].toSorted(),
  )
  expect(sweepCards(join(home, 'nowhere'))).toBe(0)
})
