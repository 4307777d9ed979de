/**
 * Looks after the files of a session: another server of it, or a person, may remove them. A session at rest is looked
 * after when a file changes, and seldom in between; the clock drives only what no file tells.
 */
import { watchSessionFiles, type FilesOptions } from './session-files.ts'

export type KeeperOptions = Omit<FilesOptions, 'onChange'> & {
  look: () => void
  /** Whether the looks must not wait for a change of a file. */
  isPressing: () => boolean
}

/** Changes come in groups, and a directory that somebody is removing must not come back in the middle of that. */
const AFTER_CHANGE_MS = 1_000
const PRESSING_MS = 2_000
/** For a directory that was replaced, which a watch does not always tell. */
const AT_REST_MS = 30_000

/** Calls `look` a second after each change, and now and then, until the returned function is called. */
export function keepLooking({ look, isPressing, ...files }: KeeperOptions): () => void {
  let timer: NodeJS.Timeout
  let isSoon = false

  function schedule(ms: number) {
    clearTimeout(timer)
    timer = setTimeout(() => {
      isSoon = false
      look()
      schedule(watch.renew() && !isPressing() ? AT_REST_MS : PRESSING_MS)
    }, ms).unref()
  }

  const watch = watchSessionFiles({
    ...files,
    onChange() {
      if (isSoon) return
      isSoon = true
      schedule(AFTER_CHANGE_MS)
    },
  })
  schedule(PRESSING_MS)
  return () => {
    clearTimeout(timer)
    watch.close()
  }
}
