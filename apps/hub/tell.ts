import { spawn, type ChildProcess } from 'node:child_process'
import { withoutNodeVariables } from '#machine/environment'
import { bundlePath } from '#machine/package'
import type { Notify } from '#machine/config'
import type { Notification } from './notification.ts'

/** How one attempt ended: `undefined` when all went well, else the reason, for the log. */
export type Told = { failure: string | undefined }
export type Tell = (notification: Notification, signal: AbortSignal) => Promise<Told>

/** A desktop's notifier waits until its notification is gone, 10 seconds on macOS. */
const TIMEOUT_MS = 20_000
const MAX_ERROR_CHARS = 500

/**
 * Makes the way by which the person is told: a child process, so that neither a notifier library nor a command of the
 * user's can fail or hold up the hub. It is ended with all that it started after 20 seconds. What it tells comes as
 * JSON on its standard input and as CLAUDE_PEERS_NOTIFY_TITLE, _TEXT and _COUNT in its environment, never as a part
 * of the command line, which a shell reads.
 */
export function createTell(notify: Exclude<Notify, 'off'>, timeoutMs = TIMEOUT_MS): Tell {
  return async (notification, signal) => {
    const { title, text, count } = notification
    const env = {
      ...process.env,
      CLAUDE_PEERS_NOTIFY_TITLE: title,
      CLAUDE_PEERS_NOTIFY_TEXT: text,
      CLAUDE_PEERS_NOTIFY_COUNT: String(count),
    }
    try {
      return await follow(start(notify, env), { input: JSON.stringify(notification), timeoutMs, signal })
    } catch (cause) {
      return { failure: (cause as Error).message }
    }
  }
}

function start(notify: Exclude<Notify, 'off'>, env: NodeJS.ProcessEnv): ChildProcess {
  const options = {
    env,
    // A group of its own, so that what it starts ends with it; on Windows that would open a window.
    detached: process.platform !== 'win32',
    windowsHide: true,
    stdio: ['pipe', 'ignore', 'pipe'] as ['pipe', 'ignore', 'pipe'],
  }
  if (notify === 'desktop') {
    const own = { ...options, env: withoutNodeVariables(env) }
    return spawn(process.execPath, [bundlePath('notify.js')], own)
  }
  return spawn(notify.command, { ...options, shell: true })
}

type FollowOptions = { input: string; timeoutMs: number; signal: AbortSignal }

async function follow(child: ChildProcess, { input, timeoutMs, signal }: FollowOptions): Promise<Told> {
  const { promise: failure, resolve } = Promise.withResolvers<string | undefined>()
  const giveUp = (reason: string) => {
    endGroup(child)
    resolve(reason)
  }
  const onStop = () => giveUp('ended, because the hub stops')
  const patience = setTimeout(() => giveUp(`ended after ${timeoutMs} ms`), timeoutMs)
  signal.addEventListener('abort', onStop)
  if (signal.aborted) onStop()
  let words = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(0, MAX_ERROR_CHARS)
  })
  child.on('error', (cause) => resolve(cause.message))
  child.on('close', (code, by) =>
    resolve(code === 0 ? undefined : `ended with ${by ?? code}: ${words.trim()}`),
  )
  // Not everybody reads it.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(input)
  try {
    return { failure: await failure }
  } finally {
    clearTimeout(patience)
    signal.removeEventListener('abort', onStop)
  }
}

function endGroup(child: ChildProcess) {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill()
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}
