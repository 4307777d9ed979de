import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Notification } from '../../apps/hub/notification.ts'
import { createTell } from '../../apps/hub/tell.ts'
import { isAlive } from '../../lib/machine/processes.ts'
import { makeDirectory } from '../db/harness.ts'
import { waitFor } from '../harness/wait.ts'

afterEach(() => void vi.unstubAllEnvs())

const notification: Notification = {
  title: 'claude-peers: 2 unread messages',
  text: 'api@laptop, gone since 14:02: 1 from web@laptop\nuser@laptop: 1 from web@laptop',
  count: 2,
  messages: [{ id: 7, from: 'web@laptop', to: 'api@laptop', queuedAt: 1, reach: 'gone' }],
}
const never = new AbortController().signal
const read = (path: string) => readFileSync(path, 'utf8')

describe('a command', () => {
  test('gets what it tells on its standard input and in its environment, whatever a shell would make of it', async () => {
    using scratch = makeDirectory()
    vi.stubEnv('SCRATCH', scratch.path)
    const command =
      'cat > "$SCRATCH/input"; printf "%s|%s|%s" "$CLAUDE_PEERS_NOTIFY_TITLE" "$CLAUDE_PEERS_NOTIFY_TEXT" "$CLAUDE_PEERS_NOTIFY_COUNT" > "$SCRATCH/env"'
    const text = `"; touch '${scratch.path}/forged'; $(touch ${scratch.path}/forged) \`touch ${scratch.path}/forged\` \n|`
    const evil = { ...notification, text, title: text }
    expect(await createTell({ command })(evil, never)).toEqual({ failure: undefined })
    expect(JSON.parse(read(join(scratch.path, 'input')))).toEqual(evil)
    expect(read(join(scratch.path, 'env'))).toBe(`${text}|${text}|2`)
    expect(existsSync(join(scratch.path, 'forged'))).toBe(false)
  })

  test.each([
    ['that fails says why', 'echo "no such topic" >&2; exit 3', /^ended with 3: no such topic$/],
    ['that is not there says so', 'claude-peers-no-such-command', /^ended with 127: .*not found/],
    ['that is killed says so', 'kill -9 $$', /^ended with SIGKILL/],
    ['that says much is quoted in short', 'seq 100000 >&2; exit 1', /^ended with 1: [\s\S]{100,500}$/],
    ['that no shell can be given is no crash', 'echo \0', /null bytes/],
  ])('%s', async (_, command, failure) => {
    expect((await createTell({ command })(notification, never)).failure).toMatch(failure)
  })

  test('that reads nothing is done when it ends', async () => {
    const text = 'x'.repeat(1_000_000)
    expect(
      await createTell({ command: 'exit 0' })(
        { ...notification, messages: [{ ...notification.messages[0]!, from: text }] },
        never,
      ),
    ).toEqual({
      failure: undefined,
    })
  })

  /** A command that waits for ever, with a child that does the same; their pids are in the file. */
  const forever = (file: string) =>
    `sleep 1000 & echo $! $$ > '${file}.new'; mv '${file}.new' '${file}'; wait`
  const pidsIn = async (file: string) => {
    await waitFor(() => existsSync(file), 'the command to run')
    return read(file).trim().split(' ').map(Number)
  }

  test('that takes too long is ended with all that it started', async () => {
    using scratch = makeDirectory()
    const file = join(scratch.path, 'pids')
    const telling = createTell({ command: forever(file) }, 1_000)(notification, never)
    const pids = await pidsIn(file)
    expect((await telling).failure).toBe('ended after 1000 ms')
    await waitFor(() => !pids.some(isAlive), 'the command to be gone')
  })

  test('is ended with the hub', async () => {
    using scratch = makeDirectory()
    const file = join(scratch.path, 'pids')
    const stop = new AbortController()
    const telling = createTell({ command: forever(file) })(notification, stop.signal)
    const pids = await pidsIn(file)
    stop.abort()
    expect((await telling).failure).toBe('ended, because the hub stops')
    await waitFor(() => !pids.some(isAlive), 'the command to be gone')
    expect((await createTell({ command: 'sleep 1000' })(notification, stop.signal)).failure).toContain(
      'the hub stops',
    )
  })
})

describe.runIf(process.platform === 'linux')('a desktop notification', () => {
  test('is shown by the program of the desktop', async () => {
    using scratch = makeDirectory()
    const program = join(scratch.path, 'notify-send')
    writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > '${scratch.path}/shown'\n`)
    chmodSync(program, 0o755)
    vi.stubEnv('PATH', scratch.path)
    expect(await createTell('desktop')(notification, never)).toEqual({ failure: undefined })
    // The program itself makes line feeds of `\n`.
    expect(read(join(scratch.path, 'shown')).split('\n').slice(0, 2)).toEqual([
      notification.title,
      notification.text.replace('\n', '\\n'),
    ])
  })

  test.each([
    ['no program for it', undefined, /not found: notify-send/],
    [
      'no desktop behind the program',
      'echo "Cannot autolaunch D-Bus without X11 \\$DISPLAY" >&2; exit 1',
      /Cannot autolaunch/,
    ],
  ])('is not shown, and nothing worse happens, where there is %s', async (_, script, failure) => {
    using scratch = makeDirectory()
    if (script !== undefined) {
      writeFileSync(join(scratch.path, 'notify-send'), `#!/bin/sh\n${script}\n`)
      chmodSync(join(scratch.path, 'notify-send'), 0o755)
    }
    vi.stubEnv('PATH', scratch.path)
    expect((await createTell('desktop')(notification, never)).failure).toMatch(failure)
  })
})
