/**
 * How a program that answers on the hub's port shows that it is the hub of this user, before it is sent anything: it
 * signs what it is asked with the local token. Any other program on that port (another user's, or one that took the
 * port while no hub ran) would otherwise be handed the token by the first call.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

const CHALLENGE = /^[\w-]{16,64}$/

/** A question that was never asked before. */
export const createChallenge = (): string => randomBytes(16).toString('base64url')

/** What only a holder of the token can answer; `undefined` to what is no challenge. */
export function answerChallenge(token: string, challenge: string | null): string | undefined {
  if (challenge === null || !CHALLENGE.test(challenge)) return undefined
  return createHmac('sha256', token).update(`claude-peers hub ${challenge}`).digest('base64url')
}

/** Whether an answer to the challenge comes from a holder of the token. */
export function isProof(
  answer: unknown,
  { token, challenge }: { token: string; challenge: string },
): boolean {
  const expected = Buffer.from(answerChallenge(token, challenge) ?? '')
  const given = Buffer.from(typeof answer === 'string' ? answer : '')
  return given.length === expected.length && timingSafeEqual(given, expected)
}
