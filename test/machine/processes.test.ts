import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { ancestorsOf, isAlive, isSameProcess, readProcess } from '../../lib/machine/processes.ts'
import { waitFor } from '../harness/wait.ts'

/** Runs a shell script until the test is over, and gives the first line that it prints. */
async function startShell(script: string): Promise<AsyncDisposable & { child: ChildProcess; line: string }> {
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return {
    child,
    line,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

test('a process is the same as long as it runs, by pid and start', async () => {
  await using shell = await startShell('echo ready; read -r _')
  const pid = shell.child.pid!
  const { start } = readProcess(pid)!
  expect(isSameProcess(pid, start)).toBe(true)
  expect(isSameProcess(pid, undefined)).toBe(true)
  expect(isSameProcess(pid, `${start}0`)).toBe(false)
  shell.child.kill('SIGKILL')
  await once(shell.child, 'exit')
  expect(isAlive(pid)).toBe(false)
  expect(isSameProcess(pid, start)).toBe(false)
  expect(readProcess(pid)).toBeUndefined()
})

describe.runIf(process.platform === 'linux')('on Linux', () => {
  test('a process that has ended is not alive, though nobody has asked for its exit code', async () => {
    await using shell = await startShell('sleep 0.1 & echo $!; exec sleep 60')
    const pid = Number(shell.line)
    await waitFor(() => !isAlive(pid), 'the end of the process')
    // It is still in the table.
    expect(() => process.kill(pid, 0)).not.toThrow()
    expect(isSameProcess(pid, undefined)).toBe(false)
  })

  test('a name with brackets and spaces does not confuse who is whose parent', async () => {
    await using shell = await startShell('printf "a) S 1 (b" > /proc/$$/comm; echo ready; read -r _')
    expect(readProcess(shell.child.pid!)).toMatchObject({ name: 'a) S 1 (b', parent: process.pid })
  })
})

test('a process of somebody else is alive', () => {
  expect(isAlive(1)).toBe(true)
})

test('the ancestors of a process are in order, the nearest first', async () => {
  await using shell = await startShell(`sh -c 'echo $$; read -r _'; :`)
  const ancestors = ancestorsOf(Number(shell.line)).map((one) => one.pid)
  expect(ancestors.slice(0, 2)).toEqual([shell.child.pid, process.pid])
  expect(ancestorsOf(999_999_999)).toEqual([])
})
