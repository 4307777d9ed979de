/**
 * How a program that answers on the hub's port shows that it is the hub of this user, before it is sent anything: it
 * signs what it is asked with the local token. Any other program on that port (another user's, or one that took the
 * port while no hub ran) would otherwise be handed the token by the first call. The port is signed too, so that no
 * program on another port can pass the question on to the hub.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export type Signer = { token: string; port: number }

/** A question that was never asked before. */
export const createChallenge = (): string => randomBytes(16).toString('base64url')

/** What only a holder of the token can answer; `undefined` to what is no challenge. */
export function answerChallenge(challenge: string | null, { token, port }: Signer): string | undefined {
  if (challenge === null || !/^[\w-]{16,64}$/.test(challenge)) return undefined
  return createHmac('sha256', token).update(`claude-peers hub ${port} ${challenge}`).digest('base64url')
}

/** Whether an answer to the challenge comes from a holder of the token, at that port. */
export function isProof(answer: unknown, { challenge, ...signer }: Signer & { challenge: string }): boolean {
  const expected = Buffer.from(answerChallenge(challenge, signer) ?? '')
  const given = Buffer.from(typeof answer === 'string' ? answer : '')
  return given.length === expected.length && timingSafeEqual(given, expected)
}
