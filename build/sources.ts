import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDERS = ['apps', 'lib', 'build']
const FILES = ['build.ts', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.types.json']

/**
 * What a build is made of, as one hash: the sources, and this Node, whose V8 compiles the hook. By content and not by time:
 * a file may come back with its old time, as from an archive, and a fresh checkout has new times for old sources.
 */
export function toFingerprint(root: string): string {
  const hash = createHash('sha256').update(process.version)
  for (const name of [...FILES, ...FOLDERS.flatMap((folder) => listFiles(root, folder))]) {
    hash.update(`\0${name}\0`).update(readFileSync(join(root, name)))
  }
  return hash.digest('hex')
}

const listFiles = (root: string, folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted()
