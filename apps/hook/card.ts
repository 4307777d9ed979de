import { readCard, type Card } from '#machine/cards'
import { isKnownToRun, ownAncestors } from '#machine/processes'

/**
 * Whether this process runs below the Claude process that a card was written for. A pid alone proves nothing: it may be
 * another process's by now.
 */
export function isOfAncestor({ claude }: Card): boolean {
  let isAlone = true
  for (const { pid, start } of ownAncestors()) {
    if (pid === claude.pid && (!claude.start || start === claude.start)) return true
    isAlone = false
  }
  // Where processes cannot be looked at, that it runs has to do.
  return isAlone && isKnownToRun(claude)
}

/**
 * Where a wrapper stands in between: the nearest ancestor whose card knows this session. Another ancestor's is not
 * taken: a Claude that this one's Claude started has no card yet when it starts, and must not take its parent's mail.
 */
export function findAncestorCard(directory: string, sessionId: string): Card | undefined {
  for (const ancestor of ownAncestors()) {
    const card = readCard(directory, ancestor.pid)
    const isIts = card && (!card.claude.start || card.claude.start === ancestor.start)
    if (isIts && card.sessionIds.includes(sessionId)) return card
  }
  return undefined
}
