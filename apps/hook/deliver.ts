import { writeSync } from 'node:fs'
import { FRAME_BUDGET, MESSAGE_OVERHEAD, renderFrame, toBodyBudget, type Frame } from '#frame/frame'
import { toNotice } from '#frame/notice'
import { isCutOff, readCard, setBusy, setBusyEarly, setMailFlag, writeCard, type Card } from '#machine/cards'
import { toPaths } from '#machine/paths'
import { isKnownToHaveEnded, ownAncestors } from '#machine/processes'
import type { Offer } from '#router/shapes/mailbox'
import { findAncestorCard, isOfAncestor } from './card.ts'
import { openHubCalls, type HubCalls } from './hub-calls.ts'
import { parseInput, type HookEvent, type HookInput } from './input.ts'
import { readInputText } from './sockets.ts'
import { followTurn } from './turn.ts'

/**
 * Delivers what waits for the session of this Claude process: offered by the hub to this caller alone, printed, and
 * then acknowledged. Rejects with whatever went wrong; the mail is then still the hub's.
 */
export async function deliver(claudePid: number): Promise<void> {
  const { sessions } = toPaths()
  const named = readCard(sessions, claudePid)
  // It connects while the input is read.
  const opened = named && !isCutOff(sessions, named) ? openHubCalls(named) : undefined
  const isNamed = named !== undefined && isOfAncestor(named)
  const input = parseInput(await readInputText())
  if (!input) return
  const card = isNamed ? named : findAncestorCard(sessions, input.sessionId)
  if (!card) return followEarly(sessions, claudePid, input)
  // Its own environment may be that of a session around it.
  if (card.agent !== undefined) return
  const turn = followTurn(sessions, card.claude.pid, input)
  // Its mail comes when the hub is back; to ask now takes the whole deadline, at each prompt.
  if (isCutOff(sessions, card)) return
  const calls = isNamed && opened ? opened : openHubCalls(card)
  await rebind(calls, { sessions, card, input })
  if (turn.endsUnheard()) return
  const consume = () =>
    calls.consume({
      budget: toBodyBudget(FRAME_BUDGET),
      overhead: MESSAGE_OVERHEAD,
      // Mail that is only for information must not keep a session from ending its turn.
      skipIfOnlyFyi: input.event === 'Stop',
    })
  let offer = await consume()
  if (offer.offerId === null && turn.endsWithNews()) offer = await consume()
  const { offerId } = offer
  let left = offer.remaining
  let acknowledged: Promise<unknown> | undefined
  if (offerId !== null) {
    const { text, unshown } = toFrame(offer, card)
    left += unshown.length
    turn.goesOn()
    const shown = offer.messages.filter(({ id }) => !unshown.includes(id))
    print({ systemMessage: toNotice(shown), ...toOutput(input.event, text) })
    acknowledged = calls.acknowledge(offerId, unshown)
  }
  if (left === 0) lowerOrphanedFlag(sessions, card)
  await acknowledged
}

/** A turn that begins before the MCP server is there: whoever writes to the session should know that it is busy. */
function followEarly(sessions: string, pid: number, { event, transcript }: HookInput) {
  const client = [...ownAncestors()].find((one) => one.pid === pid)
  if (client && event === 'UserPromptSubmit') setBusyEarly(sessions, client, transcript)
  if (client && event === 'Stop') setBusy(sessions, pid, false)
}

/** The MCP server tends the flag; where it has died, nobody else would ever lower it. */
function lowerOrphanedFlag(sessions: string, { claude, mcp }: Card) {
  if (isKnownToHaveEnded(mcp)) setMailFlag(sessions, claude.pid, undefined)
}

/**
 * Keeps in the card what the event tells of the session: its id and its transcript, both others after `/clear` or a
 * resume inside this Claude process. What the card told already is no news: it may tell of a later session by now.
 */
async function rebind(
  calls: HubCalls,
  { sessions, card, input }: { sessions: string; card: Card; input: HookInput },
): Promise<void> {
  const bound = await bind(calls, card, input.sessionId)
  const recorded = input.transcript === card.transcript ? undefined : input.transcript
  if (bound === undefined && recorded === undefined) return
  // The MCP server may have written it anew since it was read, as for a hub that was started again: nothing may wait
  // between here and the write, which would take that back.
  const latest = readCard(sessions, card.claude.pid) ?? card
  const sessionIds = withSession(latest.sessionIds, bound)
  const transcript = recorded ?? latest.transcript
  if (sessionIds === latest.sessionIds && transcript === latest.transcript) return
  try {
    writeCard(sessions, { ...latest, sessionIds, ...withTranscript(latest, transcript) })
  } catch {
    // What cannot be kept keeps no mail back; the next event tries again.
  }
}

/**
 * Tells the hub of a session id that the card does not name last, and gives it when the hub took it. Any event will do,
 * so that a SessionStart that found no hub is made up for. What the hub does not take keeps no mail back.
 */
async function bind(calls: HubCalls, card: Card, sessionId: string): Promise<string | undefined> {
  if (sessionId === card.sessionIds.at(-1)) return undefined
  return calls.bindSession(sessionId).then(
    () => sessionId,
    () => undefined,
  )
}

function withSession(known: string[], sessionId: string | undefined): string[] {
  if (sessionId === undefined || sessionId === known.at(-1)) return known
  return [...known.filter((id) => id !== sessionId), sessionId].slice(-MAX_SESSION_IDS)
}

const MAX_SESSION_IDS = 20

/** The transcript before is read to its end yet: it may show what became of mail. */
function withTranscript({ transcript: before, past = [] }: Card, transcript: string | undefined) {
  if (before === undefined || before === transcript) return { transcript }
  return { transcript, past: [...past, { path: before, until: Date.now() }].slice(-3) }
}

function toFrame({ messages, remaining }: Offer, { toolPrefix }: Card): Frame {
  return renderFrame({ messages, remaining, toolPrefix, now: Date.now() })
}

/**
 * The mail goes into `additionalContext`, also for a Stop: as the `reason` of the block, Claude Code 2.1.330 shows a
 * text to its model twice (seen), while a Stop's additional context comes once there and in 2.1.197.
 */
function toOutput(event: HookEvent, text: string): object {
  const output = { hookSpecificOutput: { hookEventName: event, additionalContext: text } }
  return event === 'Stop' ? { decision: 'block', reason: STOP_REASON, ...output } : output
}

const STOP_REASON = 'Mail from other sessions has arrived; read it before you end your turn.'

/**
 * Returns once the output has left this process: what fits a pipe never blocks, and one that is full, broken or closed
 * throws. process.stdout would tell the same later.
 */
function print(output: object) {
  const bytes = Buffer.from(JSON.stringify(output))
  for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written)
}
