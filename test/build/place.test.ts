import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { putInPlace } from '../../build/place.ts'
import { isCurrent, readRecord, writeRecord } from '../../build/record.ts'

let place: string
const at = (...names: string[]) => join(place, ...names)
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'claude-peers-place-'))
  await mkdir(at('work'))
})
afterEach(() => rm(place, { recursive: true, force: true }))

/** Builds these files, of sources with that fingerprint. */
async function build(files: string[], fingerprint: string) {
  for (const file of files) {
    await mkdir(dirname(at('built', file)), { recursive: true })
    await writeFile(at('built', file), fingerprint)
  }
  putInPlace({ built: at('built'), dist: at('dist'), work: at('work'), fingerprint })
}

const inPlace = async () => (await readdir(at('dist'), { recursive: true })).toSorted()
const isBuildOf = (fingerprint: string) => isCurrent(readRecord(at('work')), fingerprint, at('dist'))

test('what a build before named by its hash stays for a day, and a declaration goes at once', async () => {
  await build(['cli.cjs', 'cli-log-AAAAAAAA.cjs', 'types/old.d.ts'], 'one')
  await build(['cli.cjs', 'cli-log-BBBBBBBB.cjs', 'types/new.d.ts'], 'two')
  const both = ['cli-log-AAAAAAAA.cjs', 'cli-log-BBBBBBBB.cjs', 'cli.cjs', 'types', 'types/new.d.ts']
  expect(await inPlace()).toEqual(both)
  expect(await readFile(at('dist/cli.cjs'), 'utf8')).toBe('two')
  const record = readRecord(at('work'))
  const yesterday = Date.now() - 25 * 60 * 60_000
  writeRecord(at('work'), { ...record, superseded: { 'cli-log-AAAAAAAA.cjs': yesterday } })
  await build(['cli.cjs', 'cli-log-BBBBBBBB.cjs', 'types/new.d.ts'], 'three')
  expect(await inPlace()).toEqual(both.slice(1))
})

test('a build counts for its own sources, and only while all of its files are there', async () => {
  await build(['cli.cjs', 'hub.js'], 'one')
  expect([isBuildOf('one'), isBuildOf('two')]).toEqual([true, false])
  await rm(at('dist/hub.js'))
  expect(isBuildOf('one')).toBe(false)
})

test('a build that ended while it put its files in place counts for no sources', async () => {
  await build(['cli.cjs'], 'one')
  await mkdir(at('dist/hub.js/full'), { recursive: true })
  await expect(build(['cli.cjs', 'hub.js'], 'two')).rejects.toThrow(/hub\.js/)
  expect([isBuildOf('one'), isBuildOf('two')]).toEqual([false, false])
})
