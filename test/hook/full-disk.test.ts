import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readMailFlag, setMailFlag } from '../../lib/machine/cards.ts'
import { createHome } from '../harness/home.ts'
import { mountSmallDisk, type SmallDisk } from '../harness/small-disk.ts'
import { createRig } from './rig.ts'

const FULL: [string, { mib?: number; inodes?: number }, (disk: SmallDisk) => void][] = [
  ['blocks', { mib: 1 }, (disk) => disk.fill()],
  ['inodes', { inodes: 64 }, (disk) => disk.fillInodes()],
]

describe.each(FULL)('on a disk without %s left', (_, options, fill) => {
  /** A session whose marks are on a small disk, and whose hub has another. */
  async function openFull() {
    const rig = await createRig()
    const disk = mountSmallDisk(options)
    const sessions = join(disk.path, 'sessions')
    cpSync(rig.sessions, sessions, { recursive: true })
    rmSync(rig.sessions, { recursive: true })
    symlinkSync(sessions, rig.sessions)
    return {
      rig,
      disk,
      async [Symbol.asyncDispose]() {
        await rig[Symbol.asyncDispose]()
        disk[Symbol.dispose]()
      },
    }
  }

  test.each(['UserPromptSubmit', 'PostToolUse', 'SessionStart', 'Stop'])(
    'a %s still delivers what waits, to a session with another id than its card',
    async (event) => {
      await using world = await openFull()
      const { rig, disk } = world
      await rig.send(`sent before ${event}`)
      fill(disk)
      const run = await rig.hook(event, {
        input: { session_id: 'another-session', transcript_path: '/t.jsonl' },
      })
      expect(run.context).toContain(`sent before ${event}`)
    },
  )

  test('the flag of waiting mail that was lowered is raised again', async () => {
    await using world = await openFull()
    const { rig, disk } = world
    setMailFlag(rig.sessions, process.pid, 'fyi')
    setMailFlag(rig.sessions, process.pid, undefined)
    expect(existsSync(join(rig.sessions, `${process.pid}.mail`))).toBe(false)
    fill(disk)
    setMailFlag(rig.sessions, process.pid, 'wake')
    expect(readMailFlag(rig.sessions, process.pid)).toBe('wake')
    expect(() => rig.changeCard({ name: 'renamed' })).not.toThrow()
    expect(rig.card().name).toBe('renamed')
  })
})

test('a start on a full disk says that the disk is full', async () => {
  await using home = await createHome()
  using disk = mountSmallDisk({ mib: 1 })
  mkdirSync(join(disk.path, 'state'))
  rmSync(join(home.path, '.claude-peers'), { recursive: true, force: true })
  symlinkSync(join(disk.path, 'state'), join(home.path, '.claude-peers'))
  disk.fill()
  const { code, stdout, stderr } = await home.cli(['send', 'api', 'hello'])
  expect(code).toBe(3)
  expect(`${stdout}${stderr}`).toMatch(/no space left|ENOSPC.*Free some space/)
})
