/**
 * Builds `dist`; with `--if-changed`, only when it was built of other sources. Programs run from `dist` meanwhile, and several
 * builds may be asked for at once: one builds, beside, and puts each file in its place whole.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { claimDatabase } from './apps/hub/claim.ts'
import { isCurrent, readRecord } from './build/record.ts'
import { toFingerprint } from './build/sources.ts'

const root = import.meta.dirname
const dist = join(root, 'dist')
const work = join(root, '.build')

/** Each of many that wait finds the work done; a build takes some 10 s. */
const WAIT_MS = 5 * 60_000

const ifChanged = process.argv.includes('--if-changed')
// Without the lock: a checkout that this user cannot write, or that is built, has nothing to wait for.
if (!ifChanged || !isBuilt()) await buildAlone()

/** Whether `dist` is the build of the sources as they are now. */
function isBuilt(): boolean {
  return isCurrent(readRecord(work), toFingerprint(root), dist)
}

async function buildAlone() {
  mkdirSync(work, { recursive: true })
  // The lock that a hub takes on its database: it ends with its process, however that ends.
  const claim = claimDatabase(join(work, 'build'), { waitMs: WAIT_MS })
  if (!claim) throw new Error(`Another build has not ended within ${WAIT_MS / 60_000} minutes.`)
  try {
    // Another one may have done it meanwhile.
    if (!ifChanged || !isBuilt()) await rebuild(toFingerprint(root))
  } finally {
    claim.release()
  }
}

async function rebuild(fingerprint: string) {
  // Those of builders that were killed: nobody else builds now.
  for (const name of readdirSync(work)) if (name.startsWith('new-')) remove(join(work, name))
  const built = join(work, `new-${process.pid}`)
  mkdirSync(built)
  // Loaded only here: who has nothing to build needs no bundler.
  const { buildInto } = await import('./build/bundles.ts')
  const { putInPlace } = await import('./build/place.ts')
  await buildInto(built, root)
  putInPlace({ built, dist, work, fingerprint })
  remove(built)
}

/** A compiler whose builder was killed may still write there: what is left is removed the next time. */
function remove(directory: string) {
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch {
    // It is of no use, and of no harm.
  }
}
