/**
 * Follows the session's transcript, and only while a delivered message is not known to be read: then the file is
 * watched, with a slow look in between where a file system tells nothing. The mail alone decides when: a session
 * without any pays nothing, however long its transcript.
 */
import { watch, type FSWatcher } from 'node:fs'
import type { Unread } from '#router/shapes/mailbox'
import { createReceipts, type ReceiptsOptions } from './receipts.ts'

export type Follower = {
  /** Takes the hub's word for what is unread, and looks for it. */
  expect(mail: Unread[]): void
  /** Whether mail may still be seen. */
  isOpen(): boolean
  close(): void
}

/** A line is written some 100 ms after its hook; the looks become rarer while nothing comes. */
const FIRST_LOOK_MS = 250
const LONGEST_LOOK_MS = 15_000

/** Starts to follow; nothing is read before mail is expected. What fails is tried again with the next look. */
export function followTranscript(options: Omit<ReceiptsOptions, 'now'>): Follower {
  function unlessClosed<Given extends unknown[]>(tell: (...given: Given) => Promise<unknown>) {
    return async (...given: Given) => {
      if (closed) throw new Error('this session has ended')
      return tell(...given)
    }
  }
  const receipts = createReceipts({
    ...options,
    confirm: unlessClosed(options.confirm),
    requeue: unlessClosed(options.requeue),
    now: Date.now,
  })
  let watcher: FSWatcher | undefined
  let watched: string | undefined
  let timer: NodeJS.Timeout | undefined
  let delay = FIRST_LOOK_MS
  let isLooking = false
  let again = false
  let closed = false

  async function look(): Promise<void> {
    if (isLooking) return void (again = true)
    isLooking = true
    again = false
    await receipts.look().catch(() => undefined)
    isLooking = false
    return again && !closed ? look() : arrange()
  }

  function arrange() {
    clearTimeout(timer)
    if (closed || !receipts.isOpen()) return rest()
    listen(receipts.path())
    timer = setTimeout(() => void look(), delay).unref()
    delay = Math.min(delay * 2, LONGEST_LOOK_MS)
  }

  function listen(path: string | undefined) {
    if (path === watched) return
    rest()
    if (path === undefined) return
    try {
      watcher = watch(path, { persistent: false }, (event) => {
        // The name has another file now, or none.
        if (event === 'rename') rest()
        void look()
      })
      watcher.on('error', rest)
      watched = path
    } catch {
      // It is not there yet, or cannot be watched: the looks find it.
    }
  }

  function rest() {
    watcher?.close()
    watcher = undefined
    watched = undefined
  }

  return {
    expect(mail) {
      if (closed) return
      receipts.expect(mail)
      delay = FIRST_LOOK_MS
      if (receipts.isOpen()) void look()
      else arrange()
    },
    isOpen: receipts.isOpen,
    close() {
      closed = true
      clearTimeout(timer)
      rest()
    },
  }
}
