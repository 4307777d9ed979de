/** What a session does, as its hooks and its waiter leave it beside the card. */
import { busySince, sessionFile } from '#machine/cards'
import { readIfThere } from '#machine/files'
import { isInteractive } from '#machine/interactive'
import { isAlive } from '#machine/processes'
import type { Activity } from '#router/shapes/peers'
import { watchSessionFiles } from './session-files.ts'

export type ActivityOptions = {
  sessions: string
  pid: number
  onChange: (activity: Activity) => void
  /** How the client was started, as it tells those that it starts. */
  entrypoint?: string | undefined
}

/** A waiter that was killed leaves its file as it is, so the files are also looked at this often. */
const CHECK_MS = 10_000

/** Tells what the session does, at once and whenever it changes, until the returned function is called. */
export function watchActivity(options: ActivityOptions): () => void {
  const { sessions, pid, onChange } = options
  const { entrypoint = process.env['CLAUDE_CODE_ENTRYPOINT'] } = options
  const headless = isHeadless(pid, entrypoint)
  let told: string | undefined

  function look() {
    const activity: Activity = {
      activity: busySince(sessions, pid) === undefined ? 'idle' : 'busy',
      wakeable: hasWaiter(sessions, pid),
      headless,
    }
    const text = JSON.stringify(activity)
    if (text === told) return
    told = text
    onChange(activity)
  }

  const files = watchSessionFiles({ sessions, pid, kinds: ['busy', 'waiter'], onChange: look })
  look()
  const timer = setInterval(() => {
    files.renew()
    look()
  }, CHECK_MS).unref()
  return () => {
    clearInterval(timer)
    files.close()
  }
}

/** Whether the client was started without a person before it: by `claude -p` or through its SDK. */
export const isHeadless = (pid: number, entrypoint: string | undefined): boolean =>
  (entrypoint?.startsWith('sdk-') ?? false) && !isInteractive(pid, entrypoint)

function hasWaiter(sessions: string, pid: number): boolean {
  const waiter = Number(readIfThere(sessionFile(sessions, pid, 'waiter')))
  return waiter > 0 && isAlive(waiter)
}
