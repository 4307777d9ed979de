import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { array, asyncProperty, assert, constantFrom, integer, tuple } from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTail, MAX_BACK_BYTES, type Tail } from '../../apps/mcp/transcript-tail.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'claude-peers-tail-'))
  path = join(directory, 'session.jsonl')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function linesOf(tail: Tail): Promise<string[]> {
  const lines: string[] = []
  await tail.read((line) => lines.push(line))
  return lines
}

test('a line is given once it is whole, and once', async () => {
  const tail = createTail(path)
  writeFileSync(path, 'one\ntw')
  expect(await linesOf(tail)).toEqual(['one'])
  expect(await linesOf(tail)).toEqual([])
  appendFileSync(path, 'o')
  expect(await linesOf(tail)).toEqual([])
  appendFileSync(path, '\nthree\n')
  expect(await linesOf(tail)).toEqual(['two', 'three'])
})

test('a file that is not there yet has nothing, and is read from its start when it comes', async () => {
  const tail = createTail(path)
  expect(await linesOf(tail)).toEqual([])
  writeFileSync(path, 'first\n')
  expect(await linesOf(tail)).toEqual(['first'])
})

test('what cannot be read is an error and no empty file', async () => {
  await expect(createTail(directory).read(() => undefined)).rejects.toThrow('EISDIR')
})

test('however it is cut into writes, every line comes whole, in order, once', async () => {
  const text = array(constantFrom('a', 'é', '🚪', '\n', '\n\n', '"\\n"', '}'), { maxLength: 60 })
  const cuts = array(integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 })
  let runs = 0
  await assert(
    asyncProperty(tuple(text, cuts), async ([parts, sizes]) => {
      const file = join(directory, `${++runs}.jsonl`)
      const bytes = Buffer.from(parts.join(''))
      const tail = createTail(file)
      const seen: string[] = []
      for (let at = 0, step = 0; at < bytes.length; step++) {
        const size = sizes[step % sizes.length]!
        appendFileSync(file, bytes.subarray(at, at + size))
        at += size
        seen.push(...(await linesOf(tail)))
      }
      const whole = bytes.toString().split('\n').slice(0, -1)
      expect(seen).toEqual(whole.filter((line) => line !== ''))
    }),
    { numRuns: 60 },
  )
})

test('a file that was cut short is begun anew', async () => {
  const tail = createTail(path)
  writeFileSync(path, 'one\ntwo\nthr')
  expect(await linesOf(tail)).toEqual(['one', 'two'])
  truncateSync(path, 0)
  appendFileSync(path, 'new\n')
  expect(await linesOf(tail)).toEqual(['new'])
})

test('a file that took the place of another is begun anew, though it is longer', async () => {
  const tail = createTail(path)
  writeFileSync(path, 'old\n')
  await linesOf(tail)
  writeFileSync(`${path}.next`, 'longer than the old one\n')
  renameSync(`${path}.next`, path)
  expect(await linesOf(tail)).toEqual(['longer than the old one'])
})

test('of 200 MB no more than the end is read, and then only what is new', async () => {
  const file = openSync(path, 'w')
  truncateSync(path, 200 * 1_024 * 1_024)
  writeSync(file, '\nthe last line\n', 200 * 1_024 * 1_024)
  closeSync(file)
  const tail = createTail(path)
  const lines: string[] = []
  expect(await tail.read((line) => lines.push(line))).toBe(MAX_BACK_BYTES)
  expect(lines).toEqual(['the last line'])
  expect(await tail.read(() => undefined)).toBe(0)
  appendFileSync(path, 'new\n')
  expect(await tail.read((line) => lines.push(line))).toBe(4)
  expect(lines.at(-1)).toBe('new')
})

test('what a neglected tail has missed is skipped up to the limit, from a line that is whole', async () => {
  const tail = createTail(path, { back: 20 })
  writeFileSync(path, 'start\n')
  expect(await linesOf(tail)).toEqual(['start'])
  appendFileSync(path, Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join(''))
  expect(await linesOf(tail)).toEqual(['line 98', 'line 99'])
})

test('a line beyond 1 MiB is passed over, and the one behind it is not', async () => {
  const tail = createTail(path)
  writeFileSync(path, `${'x'.repeat(1_024 * 1_024 + 1)}\nafter\n${'y'.repeat(1_024 * 1_024)}\n`)
  const lines = await linesOf(tail)
  expect(lines.map((line) => line.slice(0, 5))).toEqual(['after', 'yyyyy'])
  expect(readFileSync(path)).toHaveLength(2 * 1_024 * 1_024 + 9)
})
