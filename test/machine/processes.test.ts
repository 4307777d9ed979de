import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import {
  canSee,
  isAlive,
  isKnownToHaveEnded,
  isKnownToRun,
  isSameProcess,
  NAMESPACE_SCRIPT,
  ownAncestors,
  ownIdentity,
  ownNamespace,
  readProcess,
} from '../../lib/machine/processes.ts'
import { waitFor } from '../harness/wait.ts'

vi.mock('node:child_process', { spy: true })

/** Above the largest number that Linux and macOS give. */
const NOBODY = 2 ** 22 + 1

/** Reads processes as on a system without /proc. */
function elsewhere(work: () => void) {
  const original = Object.getOwnPropertyDescriptor(process, 'platform')!
  Object.defineProperty(process, 'platform', { ...original, value: 'darwin' })
  try {
    work()
  } finally {
    Object.defineProperty(process, 'platform', original)
  }
}

describe('a process', () => {
  test('is alive while it runs', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    expect(isAlive(child.pid!)).toBe(true)
    child.kill()
    await once(child, 'exit')
    expect(isAlive(child.pid!)).toBe(false)
    expect(isAlive(NOBODY)).toBe(false)
  })

  test('of somebody else is alive: only ESRCH means that there is none', () => {
    using kill = vi.spyOn(process, 'kill')
    kill.mockImplementation(() => {
      throw Object.assign(new Error('no'), { code: 'EPERM' })
    })
    expect(isAlive(1)).toBe(true)
    kill.mockImplementation(() => {
      throw Object.assign(new Error('no'), { code: 'ESRCH' })
    })
    expect(isAlive(1)).toBe(false)
  })

  test('that has ended is gone, although its parent has not taken notice', async () => {
    // The shell becomes `sleep`, which never asks what became of the child it inherits.
    const parent = spawn('/bin/sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    const stat = () => readFileSync(`/proc/${pid}/stat`, 'utf8')
    if (process.platform === 'linux') await waitFor(() => / Z /.test(stat()), 'the child to be a zombie')
    expect(isSameProcess(pid, undefined)).toBe(false)
    elsewhere(() => expect(isSameProcess(pid, undefined)).toBe(false))
    parent.kill()
    await once(parent, 'exit')
  })

  test.each([
    ['here', (work: () => void) => work()],
    ['on a system without /proc', elsewhere],
  ])('is told apart from a later one with its number, %s', (_, on) => {
    on(() => {
      const { start } = readProcess(process.pid)!
      expect(isSameProcess(process.pid, start)).toBe(true)
      expect(isSameProcess(process.pid, `${start}0`)).toBe(false)
      for (const unknown of [undefined, null, '']) expect(isSameProcess(process.pid, unknown)).toBe(true)
      expect(isSameProcess(NOBODY, start)).toBe(false)
    })
  })

  test.each([
    ['here', (work: () => void) => work()],
    ['on a system without /proc', elsewhere],
  ])('is known by its parent and name, %s', (_, on) => {
    on(() => {
      expect(readProcess(process.pid)).toMatchObject({ pid: process.pid, parent: process.ppid })
      expect(readProcess(NOBODY)).toBeUndefined()
      const ancestors = [...ownAncestors()]
      expect(ancestors[0]).toMatchObject({ pid: process.ppid })
      const parents = ancestors.slice(0, -1).map((one) => one.parent)
      expect(ancestors.slice(1).map((one) => one.pid)).toEqual(parents)
    })
  })

  test('with brackets and spaces in its name is read all the same', async () => {
    if (process.platform !== 'linux') return
    const child = spawn(
      process.execPath,
      ['-e', 'process.title = "a) b (c"; console.log(1); setTimeout(() => {}, 60_000)'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    )
    await once(child.stdout, 'data')
    expect(readProcess(child.pid!)).toMatchObject({
      parent: process.pid,
      start: expect.stringMatching(/-\d+$/),
    })
    child.kill()
    await once(child, 'exit')
  })

  test('is looked up without a program for each, where there is no /proc', () => {
    elsewhere(() => {
      for (let count = 0; count < 200; count++) isSameProcess(process.pid, 'another start')
      expect(vi.mocked(execFileSync).mock.calls.length).toBeLessThan(5)
    })
  })
})

describe('the pid namespace', () => {
  const inShell = (shell: string, words: string[] = []) => {
    const [program, ...args] = [...words, shell, '-c', `${NAMESPACE_SCRIPT}; echo "$n"`]
    return execFileSync(program, args, { encoding: 'utf8' }).trim()
  }
  const NEW = ['unshare', '--pid', '--fork', '--kill-child']

  test.runIf(process.platform === 'linux').each(['sh', 'bash'])(
    'is the same for Node and for %s',
    (shell) => {
      expect(inShell(shell)).toBe(ownNamespace())
    },
  )

  test.runIf(process.platform === 'linux' && process.getuid?.() === 0).each([
    ['with a /proc of its own', [...NEW, '--mount-proc']],
    ['with the /proc of its host', NEW],
  ])('of a container %s is another one', (_, words) => {
    expect(inShell('sh', words)).toMatch(/^\d+$/)
    expect(inShell('sh', words)).not.toBe(ownNamespace())
  })

  test('is nothing to a shell without /proc, which goes on without a word', () => {
    const script = `${NAMESPACE_SCRIPT.replaceAll('/proc/', '/nowhere/')}; echo "none:$n"`
    expect(execFileSync('sh', ['-c', `${script} 2>&1`], { encoding: 'utf8' })).toBe('none:\n')
  })

  test('of another process keeps this one from any judgement of it', () => {
    const own = ownIdentity()
    expect([canSee(own), isKnownToRun(own), isKnownToHaveEnded(own)]).toEqual([true, true, false])
    const ended = { ...own, pid: NOBODY }
    expect([isKnownToRun(ended), isKnownToHaveEnded(ended)]).toEqual([false, true])
    for (const one of [own, ended]) {
      const unseen = { ...one, namespace: '1' }
      expect([canSee(unseen), isKnownToRun(unseen), isKnownToHaveEnded(unseen)]).toEqual([
        false,
        false,
        false,
      ])
    }
  })
})
