import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { joinAs } from '../harness/peer.ts'
import { createProject } from '../harness/project.ts'
import { startFrom } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'

const README = join(import.meta.dirname, '../../README.md')

test('the program in README registers, answers its mail as itself, and leaves', async () => {
  await using home = await createHome()
  await using project = await createProject()
  const [, program] = /```js\n\/\/ clock\.mjs\n([^]*?)```/.exec(await readFile(README, 'utf8'))!
  const cwd = join(project.path, 'clock')
  await mkdir(cwd)
  await writeFile(join(cwd, 'clock.mjs'), program!)
  await startFrom(home)
  await using web = await joinAs(home, 'web')
  const child = spawn(process.execPath, ['clock.mjs'], {
    cwd,
    env: home.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  try {
    let said = ''
    child.stdout.on('data', (text: Buffer) => (said += text.toString()))
    child.stderr.on('data', (text: Buffer) => (said += text.toString()))
    await waitFor(() => said.includes('I am clock@laptop'), `the program to have its seat: ${said}`)
    const id = await web.send('clock@laptop', 'What time is it?')
    await waitFor(async () => (await web.stateOf(id)) === 'delivered', 'the receipt')
    expect((await home.cli(['log'])).stdout).toMatch(/clock@laptop → web@laptop .*It is \d{4}-/)
    expect((await home.cli(['peers'])).stdout).toContain('● clock@laptop: ')
    child.kill('SIGINT')
    expect((await exited)[0]).toBe(0)
    expect((await home.cli(['peers'])).stdout).toContain('○ clock@laptop: ')
  } finally {
    child.kill('SIGKILL')
  }
})
