import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ClientOptions } from './client.ts'
import { clientEnvironment } from './home.ts'
import { isAlive, kill, waitUntil } from './processes.ts'
import { dialogOf, isEchoed, isInInput, isReady } from './screen.ts'

/** A client in a terminal of 200 × 50; its dispose kills it and the tmux server that holds the terminal. */
export type Interactive = {
  /** Types one line into the input box and waits until it is shown there. */
  type: (line: string) => Promise<void>
  /** Types one line, presses Enter and waits until the input box has given the line up. */
  submit: (line: string) => Promise<void>
  /** Presses keys by their tmux names: `Escape`, `C-c`, `Up`. */
  press: (...keys: string[]) => Promise<void>
  /** The visible text; once the client is gone, what it showed last. */
  screen: () => Promise<string>
  /** Waits until the visible text matches, by default 30,000 ms at most; the error shows the screen. */
  waitForScreen: (pattern: RegExp, options?: { timeoutMs?: number }) => Promise<void>
  claudePid: () => number
  /** Sends the client a signal, SIGKILL by default, and waits until it is gone. */
  kill: (signal?: NodeJS.Signals) => Promise<void>
  /** Waits until the client has ended by itself, after `/exit` for example. */
  waitForExit: (options?: { timeoutMs?: number }) => Promise<void>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** Starts a client in a tmux of its own and waits until it takes a prompt; throws with the screen if it does not. */
export async function startInteractive(options: ClientOptions): Promise<Interactive> {
  const { binary, home, cwd, args = [], timeoutMs = 30_000, signal } = options
  signal?.throwIfAborted()
  const env = { ...clientEnvironment(options), ...options.env }
  const socket = join(home.path, `tmux-${process.pid}-${(terminals += 1)}`)
  const tmux = (...words: string[]) => runTmux(socket, env, words)

  // The pane outlives the client, so that an error can show what the client said last.
  const server = ['start-server', ';', 'set-option', '-g', 'remain-on-exit', 'on', ';']
  const session = ['new-session', '-d', '-x', '200', '-y', '50', '-c', cwd, '-P', '-F', '#{pid} #{pane_pid}']
  // Several words are run without a shell, and `env` gives way to the client: the pid of the pane is its pid.
  const command = ['env', '-u', 'TMUX', '-u', 'TMUX_PANE', binary, '--dangerously-skip-permissions', ...args]
  const pids = await tmux(...server, ...session, ...command)
  const [serverPid, claudePid] = pids.trim().split(' ').map(Number) as [number, number]

  const screen = () => tmux('capture-pane', '-p')
  const press = async (...keys: string[]) => void (await tmux('send-keys', ...keys))
  const wait = (what: string, condition: (shown: string) => boolean | Promise<boolean>, limit = timeoutMs) =>
    waitUntil(async () => await condition(await screen()), {
      timeoutMs: limit,
      signal,
      failure: async () => `${what} (bound: ${limit} ms). The screen:\n${(await screen()).trim()}`,
    })
  const isShownAsSubmitted = (line: string) =>
    waitUntil(async () => isEchoed(await screen(), line) || !isAlive(claudePid), {
      timeoutMs: 5_000,
      signal,
      failure: () => 'not shown',
    }).then(
      () => true,
      () => (signal?.throwIfAborted(), false),
    )
  let isDisposed = false
  const interactive: Interactive = {
    press,
    screen,
    claudePid: () => claudePid,
    waitForScreen: (pattern, { timeoutMs: limit } = {}) =>
      wait(`the screen never showed ${pattern}`, (shown) => pattern.test(shown), limit),
    async type(line) {
      if (line.includes('\n')) throw new Error('a new line is an Enter: type one line at a time')
      await press('-l', '--', line)
      await wait(`never shown: ${line}`, (shown) => isInInput(shown, line))
    },
    async submit(line) {
      for (let isTaken = false; !isTaken;) {
        await interactive.type(line)
        // An Enter that comes right behind the text is swallowed. Behind the drawn text none was, so no pause is
        // needed: 120 of 120 submits of 40 to 4,000 characters, both versions, three busy loops on two cores.
        await press('Enter')
        const isLeft = (shown: string) => isInInput(shown, line) && isAlive(claudePid)
        await wait(`never submitted: ${line}`, (shown) => !isLeft(shown) || isEchoed(shown, line))
        // Under load 2.1.197 sometimes takes a line, shows it as submitted, and leaves its text in the box. Where its cursor
        // stands then is not known, and C-u takes only what is before it.
        await wait(`never taken from the box: ${line}`, async (shown) => {
          if (isLeft(shown)) await press('C-e', 'C-u')
          return !isLeft(shown)
        })
        // Right behind its last start-up dialog 2.1.197 may draw itself anew, and what stood in the box is gone.
        isTaken = line.startsWith('/') || (await isShownAsSubmitted(line))
      }
    },
    async kill(name = 'SIGKILL') {
      kill(claudePid, name)
      await interactive.waitForExit()
    },
    waitForExit: ({ timeoutMs: limit } = {}) =>
      wait('the client did not end', () => !isAlive(claudePid), limit),
    async [Symbol.asyncDispose]() {
      // A second time the numbers may belong to others.
      if (isDisposed) return
      isDisposed = true
      for (const pid of [-claudePid, serverPid]) kill(pid)
      const isGone = () => !isAlive(claudePid) && !isAlive(serverPid)
      await waitUntil(isGone, { timeoutMs: 5_000, failure: () => 'the terminal outlives SIGKILL' })
    },
  }
  try {
    await wait('the client never took a prompt', async (shown) => {
      const dialog = dialogOf(shown)
      if (!dialog) return isReady(shown) || failIfGone(claudePid, shown)
      await press(dialog.key)
      // A key that came before the dialog listened is lost, and one that is only late must not be pressed again: a second
      // Down led past the answer, where two cores had thirteen things to do.
      const isAnswered = async () => dialogOf(await screen())?.text !== dialog.text
      await waitUntil(isAnswered, { timeoutMs: 5_000, failure: () => 'unanswered' }).catch(() => undefined)
      return false
    })
  } catch (error) {
    await interactive[Symbol.asyncDispose]()
    throw error
  }
  return interactive
}

let terminals = 0
const run = promisify(execFile)

/** `-f /dev/null`: nobody's own configuration; `-u`: UTF-8 whatever the locale. */
async function runTmux(socket: string, env: Record<string, string>, words: string[]): Promise<string> {
  const { stdout } = await run('tmux', ['-S', socket, '-f', '/dev/null', '-u', ...words], { env }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      throw new Error('the tests of interactive sessions need tmux: apt-get install tmux', { cause: error })
    },
  )
  return stdout
}

function failIfGone(claudePid: number, shown: string): false {
  if (isAlive(claudePid)) return false
  throw new Error(`the client ended before it took a prompt. The screen:\n${shown.trim()}`)
}
