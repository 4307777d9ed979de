import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDirectory } from './harness.ts'

/** Keeps a file in a process that can make no links; `copy` stands for the copying. */
function keep(directory: string, copy = 'undefined') {
  const source = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    fs.linkSync = () => { throw Object.assign(new Error('EPERM'), { code: 'EPERM' }) }
    fs.copyFileSync = (${copy}) ?? fs.copyFileSync
    syncBuiltinESMExports()
    const { keepAs } = await import('${import.meta.dirname}/../../lib/db/replace-file.ts')
    keepAs('${join(directory, 'peers.db')}', '${join(directory, 'backup')}')`
  return spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' })
}

test('where there are no hard links, a killed copy of a database never has the name of a whole one', () => {
  using directory = makeDirectory()
  writeFileSync(join(directory.path, 'peers.db'), 'whole')
  const half = `(_, to) => { fs.writeFileSync(to, 'wh'); process.kill(process.pid, 'SIGKILL') }`
  expect(keep(directory.path, half).signal).toBe('SIGKILL')
  expect(existsSync(join(directory.path, 'backup'))).toBe(false)
  expect(keep(directory.path)).toMatchObject({ status: 0, stderr: '' })
  expect(readFileSync(join(directory.path, 'backup'), 'utf8')).toBe('whole')
  expect(readdirSync(directory.path).toSorted()).toEqual(['backup', 'peers.db'])
})
