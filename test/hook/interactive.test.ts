/** Who has a waiter when the client's own word may be inherited: the clients here are stand-ins, in real terminals. */
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, realpathSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { isHeadless } from '../../apps/mcp/activity.ts'
import { sessionFile } from '../../lib/machine/cards.ts'
import { readIfThere } from '../../lib/machine/files.ts'
import { kill } from '../e2e/claude/processes.ts'
import { waitFor } from '../harness/wait.ts'

const WAITER = join(import.meta.dirname, '../../dist/waiter.sh')
const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).toReversed()) clean()
})

/** A client with these words behind its name, in a terminal of its own or with a pipe in its place. */
async function startClient(words: string[], { terminal }: { terminal: boolean }) {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'claude-peers-terminal-')))
  const sessions = join(home, '.claude-peers/sessions')
  await mkdir(sessions, { recursive: true })
  const note = join(home, 'pid')
  const stand = `echo $$ >'${note}'; while read -r _; do :; done`
  const command = ['/bin/sh', '-c', stand, 'claude', ...words]
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const [program, ...args] = terminal ? ['script', '-qfc', `exec ${quoted}`, '/dev/null'] : command
  const child = spawn(program!, args, { stdio: 'pipe', env: { PATH: '/usr/bin:/bin', SHELL: '/bin/sh' } })
  const pid = Number(await waitFor(() => readIfThere(note), 'the client'))
  const bell = sessionFile(sessions, pid, 'bell')
  execFileSync('mkfifo', [bell])
  const held = openSync(bell, constants.O_RDWR)
  cleanups.push(() => {
    closeSync(held)
    for (const one of [pid, child.pid!]) kill(one)
    rmSync(home, { recursive: true, force: true })
  })
  return { home, pid, seat: sessionFile(sessions, pid, 'waiter') }
}

/** Whether the waiter of a client takes its place, or ends at once. */
async function hasWaiter({ home, pid, seat }: Awaited<ReturnType<typeof startClient>>, entrypoint: string) {
  const env = { PATH: '/usr/bin:/bin', HOME: home, CLAUDE_CODE_ENTRYPOINT: entrypoint }
  const waiter = spawn('/bin/sh', [WAITER, String(pid)], { env, stdio: 'ignore' })
  let code: number | null | undefined
  waiter.on('exit', (given) => (code = given))
  cleanups.push(() => void waiter.kill('SIGKILL'))
  await waitFor(() => readIfThere(seat) || code !== undefined, 'the waiter to stand or end')
  return code === undefined
}

describe('a client that inherits the word of an outer, headless one', () => {
  test.each([
    [[]],
    [['--dangerously-skip-permissions', '--permission-mode', 'plan']],
    [['fix the -p flag\n-p\nof the parser']],
  ])('has a waiter in a terminal: %j', async (words) => {
    const client = await startClient(words, { terminal: true })
    expect(isHeadless(client.pid, 'sdk-cli')).toBe(false)
    expect(await hasWaiter(client, 'sdk-cli')).toBe(true)
  })

  test.each([
    [['-p', 'hello']],
    [['-cp', 'hello']],
    [['--print', 'hello']],
    [['--output-format', 'stream-json']],
    [['--input-format=stream-json']],
  ])('has none in a print mode, though in a terminal: %j', async (words) => {
    const client = await startClient(words, { terminal: true })
    expect(isHeadless(client.pid, 'sdk-cli')).toBe(true)
    expect(await hasWaiter(client, 'sdk-cli')).toBe(false)
  })

  test.each(['sdk-cli', 'sdk-ts', 'mcp'])(
    'has none without a terminal, as started by %s',
    async (entrypoint) => {
      const client = await startClient([], { terminal: false })
      expect(await hasWaiter(client, entrypoint)).toBe(false)
    },
  )
})
