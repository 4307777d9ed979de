/**
 * The bell of a session: a FIFO that this process holds open both ways, so that a ring needs no reader, waits for one,
 * and the reader gets the end of the file when this process ends, however that is.
 */
import { execFile } from 'node:child_process'
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { sessionFile } from '#machine/cards'
import { makePrivateDir } from '#machine/paths'

export type Bell = {
  /** Wakes the session's waiter, now or when it comes; rings that nobody has heard yet are one. */
  ring(): void
  /** Makes it anew where somebody has removed it. Where there are no FIFOs (Windows), there is none. */
  ensure(): Promise<void>
  close(): void
}

/** Another server of the same session shares the FIFO: whichever lives longer keeps it. */
export function openBell(sessions: string, pid: number): Bell {
  const path = sessionFile(sessions, pid, 'bell')
  let fd: number | undefined
  let isRung = false
  let isClosed = false
  let underWay: Promise<void> | undefined

  function write() {
    if (fd === undefined) return
    drain(fd)
    writeSync(fd, '\n')
    isRung = false
  }

  async function make() {
    if (fd !== undefined && isSameFile(fd, path)) return
    makePrivateDir(sessions)
    if (lstatSync(path, { throwIfNoEntry: false })?.isFIFO() === false) rmSync(path, { force: true })
    // Fails when another server was faster, which is as good; the open below tells.
    await makeFifo(path)
    if (isClosed) return
    const opened = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    if (!fstatSync(opened).isFIFO()) return closeSync(opened)
    const previous = fd
    fd = opened
    // Its waiter finds the new one when it gets the end of this.
    if (previous !== undefined) closeSync(previous)
    if (isRung || previous !== undefined) write()
  }

  return {
    ring() {
      isRung = true
      try {
        write()
      } catch {
        // Full is rung; broken is made anew.
      }
    },
    ensure() {
      underWay ??= make()
        .catch(() => undefined)
        .finally(() => (underWay = undefined))
      return underWay
    },
    close() {
      isClosed = true
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  }
}

function makeFifo(path: string): Promise<void> {
  if (process.platform === 'win32') return Promise.resolve()
  return new Promise((resolve) => execFile('mkfifo', ['-m', '600', path], () => resolve()))
}

function isSameFile(fd: number, path: string): boolean {
  const [held, found] = [fstatSync(fd), lstatSync(path, { throwIfNoEntry: false })]
  return found?.isFIFO() === true && held.ino === found.ino && held.dev === found.dev
}

const buffer = Buffer.alloc(4_096)
function drain(fd: number) {
  try {
    while (readSync(fd, buffer) === buffer.length);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') throw cause
  }
}
