import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { toLabel } from '../../lib/machine/processes.ts'

/** Above the largest number that a process gets. */
const NOBODY = 2 ** 22 + 1

test('a hub that starts takes away what killed processes left, and nothing else', async () => {
  await using home = await createHome()
  await runHub(home).then((hub) => hub[Symbol.asyncDispose]())
  const dir = join(home.path, '.claude-peers')
  const living = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e6)'], { env: home.env })
  const exited = once(living, 'exit')
  const left = ['hub.start-PID.1', 'token.PID.tmp', 'hub.json.PID.tmp', 'user.json.PID.tmp']
  const kept = ['hub.start-notes', 'notes.tmp', 'hub.err', 'PID.txt', `hub.start-${toLabel(living.pid!)}.1`]
  for (const name of [...left, ...kept])
    await writeFile(
      join(dir, name.replace('PID', name.endsWith('.txt') ? String(NOBODY) : toLabel(NOBODY))),
      '',
    )
  const others = [`token.${NOBODY}-1.tmp`, `hub.start-${NOBODY}-1.1`, `user.json.${NOBODY}-1.tmp`]
  for (const name of others) await writeFile(join(dir, name), '')
  // No process of another pid namespace can be looked at, and none takes two days for a file.
  await utimes(join(dir, others[2]!), new Date(0), new Date(Date.now() - 2 * 24 * 60 * 60_000))
  const stray = join(home.path, `.claude-peers.machine-id.${toLabel(NOBODY)}.tmp`)
  await writeFile(stray, '')
  await using hub = await runHub(home)
  living.kill('SIGKILL')
  await exited
  const names = await readdir(dir)
  for (const name of kept) expect(names).toContain(name.replace('PID', String(NOBODY)))
  const numbered = names.filter((name) => name.includes(String(NOBODY)))
  expect(numbered.toSorted()).toEqual([`${NOBODY}.txt`, ...others.slice(0, 2)].toSorted())
  expect(await readdir(home.path)).not.toContain(`.claude-peers.machine-id.${toLabel(NOBODY)}.tmp`)
  expect(hub.pid).toBeGreaterThan(0)
})
