/** Whether mail can wake the sessions that run now, and what keeps it from that. */
import { lstatSync } from 'node:fs'
import { listLiveCards, sessionFile, type Card } from '#machine/cards'
import { hasWaiter } from '#machine/waiters'
import { ok, toFix, unknown, type Line } from './line.ts'
import type { Scene } from './scene.ts'
import { findProgram } from './server.ts'

const about = 'waking'

/** Looks at each live session for a waiter, and for the FIFO that it would wait at. */
export function checkWaiters({ env, paths: { sessions } }: Scene): Line[] {
  if (process.platform === 'win32') return []
  const lines: Line[] = []
  if (!findProgram('mkfifo', env))
    lines.push(toFix(about, 'no mkfifo is on this PATH, so mail wakes no idle session: install coreutils.'))
  const live = listLiveCards(sessions)
  const [foreign, own] = [live.filter((card) => card.agent), live.filter((card) => !card.agent)]
  const bare = own.filter((card) => !hasBell(sessions, card))
  if (bare.length > 0) {
    const says = `${sessions} takes no FIFO, so mail cannot wake ${toNames(bare)}: put the home on a file system that has them.`
    lines.push(toFix(about, says))
  }
  const rest = own.filter((card) => !bare.includes(card))
  const awake = rest.filter((card) => hasWaiter(sessions, card.claude.pid))
  const alone = rest.filter((card) => !awake.includes(card))
  if (awake.length > 0) lines.push(ok(about, `mail wakes ${toNames(awake)}`))
  if (alone.length > 0) {
    const says = `no waiter stands for ${toNames(alone)}: mail waits for the next prompt there. A session that works, a headless run and one whose hooks are disabled have none`
    lines.push(unknown(about, says))
  }
  if (foreign.length > 0) {
    const says = `no hook of claude-peers runs in ${toNames(foreign)} (another agent): mail waits there until it calls check_messages`
    lines.push(unknown(about, says))
  }
  return lines
}

const hasBell = (sessions: string, { claude }: Card) =>
  lstatSync(sessionFile(sessions, claude.pid, 'bell'), { throwIfNoEntry: false })?.isFIFO() === true

const toNames = (cards: Card[]) => cards.map(({ name }) => name).join(', ')
