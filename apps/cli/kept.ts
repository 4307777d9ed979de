import { expire } from '#client/drain'
import { quote } from '#frame/answer-text'
import { escapeControls } from '#frame/escape'
import { describeRefused } from '#frame/kept-text'
import { toAge } from '#frame/time'
import type { Config } from '#machine/config'
import { openSpoolOf } from '#machine/spool'

/** What is on this computer of messages that a remote hub has not got: those that wait, by hub, and the refused. */
export type KeptMail = {
  kept: { hub: string; count: number; oldestAt: number }[]
  refused: {
    hub: string
    to: string[]
    excerpt: string
    at: number
    reason: string
    isUnknown: boolean
  }[]
  /** Files of messages that cannot be read any more. */
  unreadable: string[]
}

/** Looks at the spool of this user. */
export function readKept(config: Config): KeptMail {
  const spool = openSpoolOf(config)
  expire(spool)
  const byHub = Map.groupBy(spool.list(), ({ hub }) => hub)
  return {
    kept: [...byHub].map(([hub, entries]) => ({ hub, count: entries.length, oldestAt: entries[0]!.at })),
    refused: spool.refused().map(({ hub, input, at, reason, isUnknown = false }) => ({
      hub,
      to: [input.to].flat(),
      excerpt: quote(input.message),
      at,
      reason,
      isUnknown,
    })),
    unreadable: spool.unreadable(),
  }
}

/** How many messages wait on this computer for the hub at a URL. */
export const countKeptFor = (config: Config, url: string): number =>
  readKept(config).kept.find(({ hub }) => hub === url)?.count ?? 0

export function toKeptLines({ kept, refused, unreadable }: KeptMail, now: number): string[] {
  const waiting = kept.map(
    ({ hub, count, oldestAt }) =>
      `On this computer: ${count} ${count === 1 ? 'message waits' : 'messages wait'} for the hub at ${hub} to answer, the oldest from ${toAge(oldestAt, now)}`,
  )
  return [
    ...waiting,
    ...refused.map((one) =>
      escapeControls(
        `- to ${one.to.join(', ')}, ${toAge(one.at, now)}: ${one.excerpt}: ${describeRefused(one)}`,
      ),
    ),
    ...unreadable.map((path) =>
      escapeControls(
        `- ${path} cannot be read: a message for a hub that was kept in it is not sent. Mend the file or its rights, or remove it.`,
      ),
    ),
  ]
}
