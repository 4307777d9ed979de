import { readCard, type Card } from '#machine/cards'
import { ancestorsOf, isSameProcess } from '#machine/processes'

/** Whether the Claude process that a card was written for still runs: its pid may be another's by now. */
export function isOfLiving({ claude }: Card): boolean {
  return isSameProcess(claude.pid, claude.start)
}

/**
 * Where a wrapper stands in between: the nearest ancestor whose card knows this session. Another ancestor's is not
 * taken: a Claude that this one's Claude started has no card yet when it starts, and must not take its parent's mail.
 */
export function findAncestorCard(directory: string, sessionId: string | undefined): Card | undefined {
  if (sessionId === undefined) return undefined
  for (const ancestor of ancestorsOf(process.pid)) {
    const card = readCard(directory, ancestor.pid)
    const isIts = card && (!card.claude.start || card.claude.start === ancestor.start)
    if (isIts && card.sessionIds.includes(sessionId)) return card
  }
  return undefined
}
