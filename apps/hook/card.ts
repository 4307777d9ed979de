import { readCard, type Card } from '#machine/cards'
import { ancestorsOf, isSameProcess } from '#machine/processes'

/**
 * The card of the session that runs this hook. The command names the Claude pid; where a wrapper stands in between,
 * the nearest ancestor with a card is it.
 */
export function findCard(directory: string, claudePid: number): Card | undefined {
  const named = claudePid > 0 ? readCard(directory, claudePid) : undefined
  if (named && isSameProcess(claudePid, named.claude.start)) return named
  for (const ancestor of ancestorsOf(process.pid)) {
    const card = readCard(directory, ancestor.pid)
    if (card && (!card.claude.start || card.claude.start === ancestor.start)) return card
  }
  return undefined
}
