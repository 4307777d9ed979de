import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { isAlive } from '../e2e/claude/processes.ts'
import { ip, sweepNamespaces, toEntry, toPrefix } from './namespaces.ts'

const run = promisify(execFile)
const script = JSON.stringify(join(import.meta.dirname, 'namespaces.ts'))
const node = (code: string) =>
  run(process.execPath, ['--input-type=module', '-e', `const here = await import(${script});${code}`])
const list = async () => (await ip('netns', 'list')).split('\n').map((line) => line.split(' ')[0])

test('what a killed run left of its network, and what still runs there, is swept; that of a running one stays', async () => {
  const own = `${toPrefix()}own`
  await ip('netns', 'add', own)
  const { stdout } = await node(
    `const name = here.toPrefix() + 'left'; await here.ip('netns', 'add', name); process.stdout.write(name)`,
  )
  const words = [...toEntry(stdout), 'sleep', '600']
  const orphan = spawn(words[0]!, words.slice(1), { stdio: 'ignore' })
  const ended = once(orphan, 'exit')
  await once(orphan, 'spawn')
  // It is in the namespace once it is the program itself.
  await expect.poll(async () => ip('netns', 'pids', stdout)).toContain(String(orphan.pid))
  try {
    expect(await sweepNamespaces()).toContain(stdout)
    await ended
    expect(isAlive(orphan.pid!)).toBe(false)
    expect(await list()).not.toContain(stdout)
    expect(await list()).toContain(own)
  } finally {
    orphan.kill('SIGKILL')
    await ip('netns', 'del', own)
  }
})

test('whoever may make no network is told what is needed, and the tests fail', async () => {
  const { stdout } = await node(`
    process.setgid(65534)
    process.setuid(65534)
    await here.requireNamespaces().catch((cause) => process.stdout.write(cause.message))`)
  expect(stdout).toMatch(
    /^The fleet tests cannot make their network \(.*\): run them as root on Linux, with iproute2/s,
  )
})
