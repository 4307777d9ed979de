import { FRAME_BUDGET, MESSAGE_OVERHEAD, renderFrame, toBodyBudget } from '#frame/frame'
import { setMailFlag, type Card } from '#machine/cards'
import { toPaths } from '#machine/paths'
import type { Offer } from '#router/shapes/mailbox'
import { findCard } from './card.ts'
import { openHubCalls, type HubCalls } from './hub-calls.ts'
import type { HookEvent, HookInput } from './input.ts'

/**
 * Delivers what waits for the session of this Claude process: offered by the hub to this caller alone, printed,
 * flushed, and then acknowledged. Rejects with whatever went wrong; the mail is then still the hub's.
 */
export async function deliver(input: HookInput, claudePid: number): Promise<void> {
  const { sessions } = toPaths()
  const card = findCard(sessions, claudePid)
  if (!card) return
  const calls = openHubCalls(card)
  if (input.event === 'SessionStart' && input.sessionId) await calls.bindSession(input.sessionId)
  // Lowered before the mail is taken: what arrives from here on raises it again.
  setMailFlag(sessions, card.claude.pid, false)
  const offer = await takeMail(calls, input.event).catch((cause: unknown) => {
    setMailFlag(sessions, card.claude.pid, true)
    throw cause
  })
  if (offer.remaining > 0) setMailFlag(sessions, card.claude.pid, true)
  if (offer.offerId === null) return
  await print(toOutput(input.event, toText(offer, card)))
  await calls.acknowledge(offer.offerId)
}

function takeMail(calls: HubCalls, event: HookEvent): Promise<Offer> {
  return calls.consume({
    budget: toBodyBudget(FRAME_BUDGET),
    overhead: MESSAGE_OVERHEAD,
    // Mail that is only for information must not keep a session from ending its turn.
    skipIfOnlyFyi: event === 'Stop',
  })
}

function toText({ messages, remaining }: Offer, { toolPrefix }: Card): string {
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

/** Resolves once the output has left this process. */
function print(output: object): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(JSON.stringify(output), (cause) => (cause ? reject(cause) : resolve()))
  })
}
