/**
 * Puts a build in the place of the one before, under the programs that run from it. A directory cannot be replaced at once,
 * so each file is renamed over its predecessor: it is whole at any moment. The files that others name by their hash come
 * first, and go a day after the last program that names them: who began with the old build finds its parts.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readRecord, writeRecord } from './record.ts'

/** Programs load all their parts in the first seconds of their lives. */
const KEPT_MS = 24 * 60 * 60_000
/** A name that holds the hash of its content. */
const HASHED = /-[\w-]{8}\.c?js(\.cache)?$/
/** Only compilers read these, and they would take a declaration of what is gone for one of what is there. */
const TYPES = /^types[/\\]/

/** Moves the files of `built` to `dist`, and records in `work` what they were built of. */
export function putInPlace(options: {
  built: string
  dist: string
  work: string
  fingerprint: string
}): void {
  const { built, dist, work, fingerprint } = options
  const record = readRecord(work)
  // Whoever is killed from here on leaves a build that nobody takes for finished.
  writeRecord(work, { ...record, fingerprint: null })
  const files = listFiles(built)
  for (const file of files.toSorted((one, other) => Number(HASHED.test(other)) - Number(HASHED.test(one)))) {
    mkdirSync(dirname(join(dist, file)), { recursive: true })
    renameSync(join(built, file), join(dist, file))
  }
  const others = listFiles(dist).filter((file) => !files.includes(file))
  const since = (file: string) => record.superseded[file] ?? Date.now()
  const kept = others.filter((file) => !TYPES.test(file) && since(file) > Date.now() - KEPT_MS)
  for (const file of others) if (!kept.includes(file)) rmSync(join(dist, file), { force: true })
  writeRecord(work, {
    fingerprint,
    files,
    superseded: Object.fromEntries(kept.map((file) => [file, since(file)])),
  })
}

const listFiles = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
