/** What a session does, as its hooks and its waiter leave it beside the card. */
import { statSync } from 'node:fs'
import { busySince, readCard, writtenAt } from '#machine/cards'
import { isInteractive } from '#machine/interactive'
import { readWords } from '#machine/processes'
import { hasWaiter } from '#machine/waiters'
import type { Activity, Obstacle } from '#router/shapes/peers'
import { watchSessionFiles } from './session-files.ts'

export type ActivityOptions = {
  sessions: string
  pid: number
  onChange: (activity: Activity) => void
  /** How the client was started, as it tells those that it starts. */
  entrypoint?: string | undefined
  /** The words that started the client. */
  words?: string[]
}

export type ActivityWatch = {
  /** Notes a call of a tool: a turn runs, and the hook of its prompt has run if any does. */
  noteCall(): void
  /** Notes that the client is another agent's, in which no hook of ours runs. */
  noteForeign(): void
  stop(): void
}

/** A waiter that was killed leaves its file as it is, so the files are also looked at this often. */
const CHECK_MS = 10_000
/** How soon others learn that a dialog was answered, which only the transcript shows. */
const DIALOG_CHECK_MS = 1_000

/** Tells what the session does, at once and whenever it changes, until it is stopped. */
export function watchActivity(options: ActivityOptions): ActivityWatch {
  const { sessions, pid, onChange } = options
  const { entrypoint = process.env['CLAUDE_CODE_ENTRYPOINT'], words = readWords(pid) } = options
  const headless = isHeadless(pid, entrypoint)
  const isStream = headless && takesStream(words)
  let told: string | undefined
  let dialogTimer: NodeJS.Timeout | undefined
  let [haveHooksRun, isCalledWithout, isForeign] = [false, false, false]

  function look() {
    const busy = busySince(sessions, pid)
    const wakeable = hasWaiter(sessions, pid)
    const obstacle = findObstacle(busy, wakeable)
    clearTimeout(dialogTimer)
    if (obstacle === 'dialog') dialogTimer = setTimeout(look, DIALOG_CHECK_MS).unref()
    const activity: Activity = {
      activity: busy === undefined ? 'idle' : 'busy',
      wakeable,
      headless,
      ...(obstacle && { obstacle }),
    }
    const text = JSON.stringify(activity)
    if (text === told) return
    told = text
    onChange(activity)
  }

  function findObstacle(busy: number | undefined, wakeable: boolean): Obstacle | undefined {
    if (isForeign) return 'no-hooks'
    haveHooksRun ||= busy !== undefined || wakeable || readCard(sessions, pid)?.transcript !== undefined
    if (!haveHooksRun) return isCalledWithout ? 'no-hooks' : 'unproven'
    if (busy !== undefined && isAsking(busy)) return 'dialog'
    return isStream ? 'stream' : undefined
  }

  /** A question stands until its turn ends or the transcript goes on. Without a transcript, nothing tells of the answer. */
  function isAsking(busy: number): boolean {
    const asked = writtenAt(sessions, pid, 'asks')
    if (asked === undefined || asked < busy) return false
    const transcript = readCard(sessions, pid)?.transcript
    const wentOn = transcript && statSync(transcript, { throwIfNoEntry: false })?.mtimeMs
    return typeof wentOn === 'number' && wentOn <= asked
  }

  const files = watchSessionFiles({ sessions, pid, kinds: ['busy', 'asks', 'waiter'], onChange: look })
  look()
  const timer = setInterval(() => {
    files.renew()
    look()
  }, CHECK_MS).unref()
  return {
    noteCall() {
      if (haveHooksRun) return
      isCalledWithout = true
      look()
    },
    noteForeign() {
      isForeign = true
      look()
    },
    stop() {
      clearInterval(timer)
      clearTimeout(dialogTimer)
      files.close()
    },
  }
}

/** Whether the client was started without a person before it: by `claude -p` or through its SDK. */
export const isHeadless = (pid: number, entrypoint: string | undefined): boolean =>
  (entrypoint?.startsWith('sdk-') ?? false) && !isInteractive(pid, entrypoint)

/** Whether a client reads one prompt after another from a program. The entrypoint does not tell (seen: 2.1.197, 2.1.332). */
const takesStream = (words: string[]) => /(^|\0)--input-format[\0=]stream-json(\0|$)/.test(words.join('\0'))
