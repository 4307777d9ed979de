/** What a session does, as its hooks and its waiter leave it beside the card. */
import { watch, type FSWatcher } from 'node:fs'
import { busySince, sessionFile } from '#machine/cards'
import { readIfThere } from '#machine/files'
import { makePrivateDir } from '#machine/paths'
import { isAlive, toLabel } from '#machine/processes'
import type { Activity } from '#router/shapes/peers'

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
  const names = new Set(['busy', 'waiter'].map((kind) => `${toLabel(pid)}.${kind}`))
  let told: string | undefined
  let watcher: FSWatcher | undefined

  function look() {
    const activity: Activity = {
      activity: busySince(sessions, pid) === undefined ? 'idle' : 'busy',
      wakeable: hasWaiter(sessions, pid),
      headless: isHeadless(entrypoint),
    }
    const text = JSON.stringify(activity)
    if (text === told) return
    told = text
    onChange(activity)
  }

  /** Without a directory, or watches left in the system, the looks now and then have to do. */
  function open() {
    try {
      makePrivateDir(sessions)
      watcher = watch(sessions, { persistent: false }, (_, name) => {
        if (name === null || names.has(name)) look()
      })
      watcher.on('error', close)
    } catch {
      watcher = undefined
    }
  }

  function close() {
    watcher?.close()
    watcher = undefined
  }

  open()
  look()
  const timer = setInterval(() => {
    if (!watcher) open()
    look()
  }, CHECK_MS).unref()
  return () => {
    clearInterval(timer)
    close()
  }
}

/** Whether the client was started without a person before it: by `claude -p` or through its SDK. */
export const isHeadless = (entrypoint: string | undefined): boolean => entrypoint?.startsWith('sdk-') ?? false

function hasWaiter(sessions: string, pid: number): boolean {
  const waiter = Number(readIfThere(sessionFile(sessions, pid, 'waiter')))
  return waiter > 0 && isAlive(waiter)
}
