import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { ok, toFix, type Line } from './line.ts'
import type { Scene } from './scene.ts'

const about = 'disk'
/** Less than this holds neither the log of a commit of a large message nor a session's files. */
const LEAST_BYTES = 1 << 20
const { R_OK, W_OK, X_OK } = constants

/** Whether what claude-peers keeps can be written: the home, its directories, the database, and room for more. */
export function checkRoom({ config, paths }: Scene): Line[] {
  const database = config.value?.database ?? paths.database
  const directories = [...new Set([paths.home, paths.dir, paths.sessions, paths.spool, dirname(database)])]
  const files = [database, `${database}-wal`, `${database}-shm`, paths.machineId, paths.token, paths.user]
  const lines = [
    ...directories.map((path) => explainUnwritable(path, R_OK | W_OK | X_OK)),
    ...files.map((path) => explainUnwritable(path, R_OK | W_OK)),
    ...[paths.home, dirname(database)].map(explainFull),
  ].filter((line) => line !== undefined)
  const faults = [...new Set(lines)].map((line) => toFix(about, line))
  return faults.length > 0 ? faults : [ok(about, 'the home and the database can be written')]
}

function explainUnwritable(path: string, mode: number): string | undefined {
  if (!existsSync(path)) return undefined
  try {
    accessSync(path, mode)
    return undefined
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EROFS')
      return `${path} is on a read-only file system: remount that for writing, or use another HOME.`
    return `you may not write to ${path} (${code}): it must belong to you, with the right to write.`
  }
}

/** Where a file system does not count inodes, it reports none at all. */
function explainFull(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  const { bavail, bsize, files, ffree } = statfsSync(path)
  if (bavail * bsize < LEAST_BYTES)
    return `the disk of ${path} is full: remove files there until at least 1 MiB is free.`
  if (files > 0 && ffree === 0) return `the disk of ${path} has no room for another file: remove some there.`
  return undefined
}
