import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLog } from '../../apps/hub/log.ts'
import { waitFor } from '../harness/wait.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'claude-peers-log-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const megabyte = 'x'.repeat(1_024 * 1_024)

test('the log is lines of JSON that say when and which process', async () => {
  const { log, close } = openLog(join(directory, 'hub.log'), { toTerminal: false })
  log.info({ url: 'http://127.0.0.1:1' }, 'hub serves')
  log.error({ err: new Error('broken') }, 'call failed')
  await close()
  const lines = (await readFile(join(directory, 'hub.log'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toMatchObject([
    {
      level: 30,
      msg: 'hub serves',
      url: 'http://127.0.0.1:1',
      pid: process.pid,
      time: expect.stringMatching(/^\d{4}-.*Z$/),
    },
    { level: 50, err: { message: 'broken', stack: expect.any(String) } },
  ])
})

test('a log that reaches 5 MB begins anew, and three old ones are kept', async () => {
  const file = join(directory, 'hub.log')
  for (let round = 0; round < 6; round++) {
    const { log, close } = openLog(file, { toTerminal: false })
    for (let one = 0; one < 6; one++) log.info(megabyte)
    await close()
  }
  const files = await readdir(directory)
  const logs = files.filter((name) => name.endsWith('.log'))
  expect(logs).toHaveLength(4)
  for (const name of logs) expect((await stat(join(directory, name))).size).toBeLessThan(6.5 * 1_024 * 1_024)
  for (const name of logs) expect(((await stat(join(directory, name))).mode & 0o777).toString(8)).toBe('600')
})

test('what was logged last before the end is written', async () => {
  const file = join(directory, 'hub.log')
  const { log, close } = openLog(file, { toTerminal: false })
  for (let line = 0; line < 1_000; line++) log.info({ line }, 'one of many')
  await close()
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(1_000)
})

test('a log that cannot be written is told on standard error, and takes nothing down', async () => {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  await writeFile(join(directory, 'file'), '')
  const { log, close } = openLog(join(directory, 'file', 'hub.log'), { toTerminal: false })
  log.info('lost')
  const words = () => told.mock.calls.map(([text]) => String(text)).join('')
  await waitFor(() => words().includes('claude-peers hub: cannot write'), 'the words')
  log.info('lost too')
  await close()
  told.mockRestore()
  expect(await readdir(directory)).toEqual(['file'])
})
