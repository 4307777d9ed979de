import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'

/** Above the largest number that a process gets. */
const NOBODY = 2 ** 22 + 1

test('a hub that starts takes away what killed processes left, and nothing else', async () => {
  await using home = await createHome()
  await runHub(home).then((hub) => hub[Symbol.asyncDispose]())
  const dir = join(home.path, '.claude-peers')
  const living = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e6)'], { env: home.env })
  const exited = once(living, 'exit')
  const left = ['hub.start-PID-1', 'token.PID.tmp', 'hub.json.PID.tmp', 'user.json.PID.tmp']
  const kept = ['hub.start-notes', 'notes.tmp', 'hub.err', 'PID.txt', `hub.start-${living.pid}-1`]
  for (const name of [...left, ...kept]) await writeFile(join(dir, name.replace('PID', String(NOBODY))), '')
  const stray = join(home.path, `.claude-peers.machine-id.${NOBODY}.tmp`)
  await writeFile(stray, '')
  await using hub = await runHub(home)
  living.kill('SIGKILL')
  await exited
  const names = await readdir(dir)
  for (const name of kept) expect(names).toContain(name.replace('PID', String(NOBODY)))
  expect(names.filter((name) => name.includes(String(NOBODY)))).toEqual([`${NOBODY}.txt`])
  expect(await readdir(home.path)).not.toContain(`.claude-peers.machine-id.${NOBODY}.tmp`)
  expect(hub.pid).toBeGreaterThan(0)
})
