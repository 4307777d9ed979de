import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkRoom } from '../../apps/cli/doctor/room.ts'
import { openScene } from '../../apps/cli/doctor/scene.ts'
import { createHome } from '../harness/home.ts'
import { mountSmallDisk } from '../harness/small-disk.ts'

async function look(HOME: string, env: Record<string, string> = {}): Promise<string[]> {
  const scene = await openScene({ HOME, ...env }, '/')
  return checkRoom(scene).map(({ state, says }) => `${state} ${says}`)
}

test('a home with room that can be written is fine, and looking changes nothing', async () => {
  using disk = mountSmallDisk()
  expect(await look(disk.path)).toEqual(['ok the home and the database can be written'])
  expect(readdirSync(disk.path)).toEqual([])
})

test('a full disk is seen, of bytes and of inodes', async () => {
  using disk = mountSmallDisk({ mib: 4, inodes: 20 })
  disk.fill()
  expect(await look(disk.path)).toEqual([expect.stringContaining(`fix the disk of ${disk.path} is full`)])
  disk.free()
  disk.fillInodes()
  expect(await look(disk.path)).toEqual([expect.stringContaining('has no room for another file')])
})

test('a read-only home, state directory or database directory is seen', async () => {
  using disk = mountSmallDisk()
  using other = mountSmallDisk()
  mkdirSync(join(disk.path, '.claude-peers'))
  execFileSync('mount', ['-o', 'remount,ro', disk.path])
  const lines = await look(disk.path)
  expect(lines).toHaveLength(2)
  expect(lines[0]).toContain(`fix ${disk.path} is on a read-only file system`)
  expect(lines[1]).toContain(`fix ${disk.path}/.claude-peers is on a read-only file system`)
  const database = join(disk.path, 'peers.db')
  expect(await look(other.path, { CLAUDE_PEERS_DB: database })).toEqual([lines[0]])
})

test('doctor says so in a FIX line, and exits with 1', async () => {
  await using home = await createHome()
  using disk = mountSmallDisk()
  execFileSync('mount', ['-o', 'remount,ro', disk.path])
  const { code, stdout } = await home.cli(['doctor'], { env: { HOME: disk.path } })
  expect(code).toBe(1)
  expect(stdout).toContain('FIX  disk: ~ is on a read-only file system: remount that for writing')
})
