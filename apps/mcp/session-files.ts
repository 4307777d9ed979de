import { statSync, watch, type FSWatcher } from 'node:fs'
import { basename } from 'node:path'
import { sessionFile } from '#machine/cards'
import { makePrivateDir } from '#machine/paths'

export type FilesOptions = {
  sessions: string
  pid: number
  kinds: Parameters<typeof sessionFile>[2][]
  /** Called at each change of one of the files, and when the whole directory goes. */
  onChange: () => void
}

export type FilesWatch = {
  /** Watches again where the directory was replaced; returns whether changes are reported. */
  renew(): boolean
  close(): void
}

/** Watches some of the files of one session. Without a directory, or watches left in the system, it reports nothing. */
export function watchSessionFiles({ sessions, pid, kinds, onChange }: FilesOptions): FilesWatch {
  const names = new Set([
    ...kinds.map((kind) => basename(sessionFile(sessions, pid, kind))),
    basename(sessions),
  ])
  let watcher: FSWatcher | undefined
  let watched: bigint | undefined

  function open() {
    try {
      makePrivateDir(sessions)
      watched = toIdentity(sessions)
      watcher = watch(sessions, { persistent: false }, (_, name) => {
        if (name === null || names.has(name)) onChange()
      })
      watcher.on('error', close)
    } catch {
      close()
    }
  }

  function close() {
    watcher?.close()
    watcher = undefined
  }

  open()
  return {
    renew() {
      if (watcher && toIdentity(sessions) === watched) return true
      close()
      open()
      return watcher !== undefined
    },
    close,
  }
}

const toIdentity = (path: string): bigint | undefined =>
  statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
