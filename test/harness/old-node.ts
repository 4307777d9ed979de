import { execFileSync } from 'node:child_process'
import { chmod, link, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import semver from 'semver'
import { NODE_RANGE } from '../../lib/machine/package.ts'

/** A directory whose `node` is too old for claude-peers. */
export type OldNode = AsyncDisposable & { directory: string }

/** The old Node of this machine, where one is on the PATH; else this Node, which says that it is old. */
export async function findOldNode(): Promise<OldNode> {
  const found = process.env['PATH']!.split(delimiter).find(isOld)
  return found === undefined ? standIn() : { directory: found, async [Symbol.asyncDispose]() {} }
}

function isOld(directory: string): boolean {
  try {
    const version = execFileSync(join(directory, 'node'), ['--version'], { encoding: 'utf8' })
    return !semver.satisfies(version, NODE_RANGE)
  } catch {
    return false
  }
}

async function standIn(): Promise<OldNode> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-old-node-'))
  const [binary, preload, script] = ['binary', 'preload.cjs', 'node'].map((name) => join(directory, name))
  // By another name, as the launcher looks whether it is run by the Node of the checkout.
  await link(process.execPath, binary!)
  await writeFile(preload!, `Object.defineProperty(process.versions, 'node', { value: '20.20.0' })\n`)
  await writeFile(script!, `#!/bin/sh\nexec '${binary}' --require '${preload}' "$@"\n`)
  await chmod(script!, 0o700)
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) }
}
