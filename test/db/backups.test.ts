import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { migrateFile } from '../../lib/db/migrate.ts'
import { LAPTOP, makeDirectory, openFileWorld } from './harness.ts'
import { addMigration, REBUILD } from './migration.ts'

/** Migrates a file in which a message was sent, so that a backup is made at that moment. */
function backUpAt(file: string, path: string, now: number): string {
  const folder = addMigration(path, REBUILD, `migrations-${now}`)
  return basename(migrateFile({ file, folder, now, machine: LAPTOP }).backup!)
}

const AUTUMN = Date.UTC(2026, 10, 20)

test('the newest three backups of a database are kept, and every other file is left alone', () => {
  using directory = makeDirectory()
  const { file, path } = directory
  openFileWorld(file)[Symbol.dispose]()
  const name = basename(file)
  const older = ['v2-backup-20260101-000000', 'backup-20260401-000000', 'backup-20260401-000000-2']
  const foreign = [
    'backup-20260101-000000.gz',
    'backup-mine',
    'my-backup-20260101-000000',
    'backup-20260101-000000-',
  ]
  for (const label of [...older, ...foreign]) writeFileSync(join(path, `${name}.${label}`), 'old')
  writeFileSync(join(path, 'other.db.backup-20260101-000000'), 'of another database')
  mkdirSync(join(path, `${name}.backup-20250101-000000`))
  const made = backUpAt(file, path, AUTUMN)
  const names = readdirSync(path)
  expect(names.filter((one) => /^peers\.db\.(v2-)?backup-\d{8}-\d{6}(-\d)?$/.test(one)).toSorted()).toEqual([
    `${name}.backup-20250101-000000`,
    `${name}.backup-20260401-000000`,
    `${name}.backup-20260401-000000-2`,
    made,
  ])
  for (const label of foreign) expect(names).toContain(`${name}.${label}`)
  expect(names).toContain('other.db.backup-20260101-000000')
})

test('the backup just made is kept, also when the clock went back', () => {
  using directory = makeDirectory()
  const { file, path } = directory
  openFileWorld(file)[Symbol.dispose]()
  for (const year of [2027, 2028, 2029]) writeFileSync(`${file}.backup-${year}0101-000000`, 'newer')
  const made = backUpAt(file, path, AUTUMN)
  expect(
    readdirSync(path)
      .filter((one) => one.includes('.backup-'))
      .toSorted(),
  ).toEqual([made, 'peers.db.backup-20280101-000000', 'peers.db.backup-20290101-000000'])
})
