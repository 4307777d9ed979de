import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  hookCommands,
  isOurHook,
  isPredecessorHook,
  unlessAtRest,
  whenMailWaits,
} from '../../../apps/cli/install/hooks.ts'
import { openHome } from './home.ts'
import { NAMESPACE_SCRIPT, toLabel } from '../../../lib/machine/processes.ts'

/** What is meant for another program of Node. */
const UNSET = 'unset NODE_OPTIONS NODE_CHANNEL_FD NODE_V8_COVERAGE NODE_DEBUG'

/** No process can have this pid. */
const NOBODY = 4_194_305

const command = (event: string, place: { node: string; root: string }) =>
  hookCommands(place)[event]?.[0]?.hooks[0]?.command ?? ''

test('the block holds delivery for each event, two behind a gate, and a waiter beside turns', () => {
  const launch = `[ ! -x '/n/node' ] || [ ! -f '/r/dist/hook.cjs' ] || { ${UNSET}; exec '/n/node' '/r/dist/hook.cjs' "$PPID" 2>/dev/null; }`
  const gated = `${NAMESPACE_SCRIPT}; [ ! -e "$HOME/.claude-peers/sessions/$PPID\${n:+-$n}.mail" ] || ${launch}`
  const hooks = (command: string) => [{ type: 'command', command, timeout: 10 }]
  const waiter = (command: string) => {
    const timeout = 14 * 24 * 60 * 60
    return { type: 'command', command, timeout, async: true, asyncRewake: true }
  }
  const shell = `[ ! -r '/r/dist/waiter.sh' ] || exec /bin/sh '/r/dist/waiter.sh' "$PPID"`
  const place = { node: '/n/node', root: '/r' }
  expect(hookCommands({ ...place, platform: 'darwin' })).toEqual({
    PostToolUse: [{ matcher: '*', hooks: hooks(gated) }],
    UserPromptSubmit: [{ hooks: [...hooks(launch), waiter(`${shell} prompt`)] }],
    SessionStart: [{ hooks: [...hooks(launch), waiter(`${shell} start`)] }],
    Stop: [{ hooks: [...hooks(unlessAtRest(launch)), waiter(shell)] }],
    Notification: [{ hooks: hooks(`${shell} note`) }],
  })
  expect(whenMailWaits(launch)).toBe(gated)
  const node = `[ ! -x '/n/node' ] || [ ! -r '/r/dist/waiter.cjs' ] || { ${UNSET}; exec '/n/node' '/r/dist/waiter.cjs' "$PPID"; }`
  expect(hookCommands({ ...place, platform: 'win32' })['Stop']).toEqual([
    { hooks: [...hooks(unlessAtRest(launch)), waiter(node)] },
  ])
})

test('ours are known from any checkout, the predecessor by bun and its file, and nothing else is', () => {
  const hook = (command: string) => ({ type: 'command', command })
  for (const root of ['/a', "/it's here", '/b c']) {
    const hooks = (['linux', 'win32'] as const)
      .flatMap((platform) => Object.values(hookCommands({ node: '/n', root, platform })))
      .flat()
      .flatMap((group) => group.hooks)
    expect(hooks.every(isOurHook)).toBe(true)
    expect(hooks.some(isPredecessorHook)).toBe(false)
  }
  const predecessors = [
    '/path/to/bun /Users/you/claude-peers-mcp/hooks/deliver.ts',
    'bun hooks/deliver.ts',
    'bun run --silent "/My Dir/claude-peers/hooks/deliver.ts"',
    "'/My Dir/bin/bun' '/x/hooks/deliver.ts' --flag",
    'C:\\bun\\bun.exe C:\\peers\\hooks\\deliver.ts',
    'cd /x && ~/.bun/bin/bun ./hooks/deliver.ts',
  ]
  for (const line of predecessors) expect([line, isPredecessorHook(hook(line))]).toEqual([line, true])
  const foreign = [
    'node /x/hooks/deliver.ts',
    'bun /x/hooks/deliver.tsx',
    'bun /x/myhooks/deliver.ts',
    'bunx hooks/deliver.ts',
    'bun test',
    'node hook.cjs',
    '',
  ]
  for (const line of foreign) {
    expect([line, isPredecessorHook(hook(line)), isOurHook(hook(line))]).toEqual([line, false, false])
  }
  for (const odd of [null, 7, 'bun hooks/deliver.ts', [], {}, { command: 7 }]) {
    expect([isPredecessorHook(odd), isOurHook(odd)]).toEqual([false, false])
  }
})

test.each(['plain', 'with space', 'it\'s $HOME `x` "q" \\'])(
  'the gate starts node only while mail waits, from a root named %j',
  async (name) => {
    await using home = await openHome()
    const root = join(home.base, name)
    const node = join(home.base, name, 'node')
    const log = join(home.base, 'log')
    await mkdir(join(root, 'dist'), { recursive: true })
    await mkdir(home.path('.claude-peers/sessions'), { recursive: true })
    // A script in Node's place: it logs that it was started, and with what.
    await writeFile(node, `#!/bin/sh\nprintf '%s\\n' "$@" >> "$LOG"\n`, { mode: 0o755 })
    const run = async (event: string, line = command(event, { node, root })) => {
      const env = { HOME: home.home, LOG: log, HOOK: command(event, { node, root }) }
      const shell = spawn('/bin/sh', ['-c', line], {
        env: { ...env, CLAUDE_PID: String(process.pid) },
        stdio: 'inherit',
      })
      const [code] = await once(shell, 'exit')
      const started = await readFile(log, 'utf8').catch(() => '')
      await rm(log, { force: true })
      return [code, started]
    }
    const hook = join(root, 'dist', 'hook.cjs')
    await writeFile(hook, '')
    expect(await run('PostToolUse')).toEqual([0, ''])
    expect(await run('Stop')).toEqual([0, `${hook}\n${process.pid}\n`])

    await home.write(`.claude-peers/sessions/${toLabel(process.pid)}.mail`, '')
    expect(await run('PostToolUse')).toEqual([0, `${hook}\n${process.pid}\n`])
    // An older client within the session inherits its variable, and has hooks of its own.
    expect(await run('PostToolUse', '/bin/sh -c "$HOOK"; exit $?')).toEqual([0, ''])

    // At rest: a server that lives, and no flag.
    const session = (kind: string) => `.claude-peers/sessions/${toLabel(process.pid)}.${kind}`
    const started = `${hook}\n${process.pid}\n`
    await rm(home.path(session('mail')))
    const stop = async (mcp: number) => {
      await home.write(
        session('json'),
        JSON.stringify({ claude: { pid: process.pid }, mcp: { pid: mcp, start: '1' } }),
      )
      await home.write(session('busy'), '')
      const result = await run('Stop')
      return [...result, existsSync(home.path(session('busy')))]
    }
    expect(await stop(process.pid)).toEqual([0, '', false])
    expect(await stop(NOBODY)).toEqual([0, started, true])
    await home.write(session('mail'), 'wake')
    expect(await stop(process.pid)).toEqual([0, started, true])

    // An installation that is gone, or being built anew, is no trouble of the host.
    await rm(hook)
    expect(await run('Stop')).toEqual([0, ''])
    await rm(node)
    expect(await run('Stop')).toEqual([0, ''])
  },
)
