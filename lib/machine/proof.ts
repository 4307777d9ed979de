/**
 * How a program that answers on the hub's port shows that it is the hub of this user, before it is sent anything: it
 * signs the question with the local token. Any other program on that port (another user's, or one that took the port
 * while no hub ran) would otherwise get the token with the first call. The port is signed too, so that no program on
 * another port can pass the question on to the hub; and so is what the hub says of itself, so that the process that
 * is believed is the one that answered.
 */
import type * as crypto from 'node:crypto'

/** `identity`: what the hub says of itself, as the very text that is sent. */
export type Signed = { token: string; port: number; identity: string }

/** The answer to a challenge, within the body of `GET /health`. */
export type Proof = { identity: string; proof: string }

/** Returns a question that was never asked before. */
export const createChallenge = (): string => load().randomBytes(16).toString('base64url')

/** Signs an identity for a challenge, as only a holder of the token can; `undefined` for what is no challenge. */
export function answerChallenge(challenge: string | null, signed: Signed): Proof | undefined {
  if (challenge === null || !/^[\w-]{16,64}$/.test(challenge)) return undefined
  const { token, port, identity } = signed
  const text = `claude-peers hub ${port} ${challenge} ${identity}`
  return { identity, proof: load().createHmac('sha256', token).update(text).digest('base64url') }
}

/** Returns the identity in an answer to the challenge, if a holder of the token at that port signed it. */
export function readProof(
  answer: unknown,
  { challenge, ...signer }: Omit<Signed, 'identity'> & { challenge: string },
): string | undefined {
  const { identity, proof } = (answer ?? {}) as Partial<Record<keyof Proof, unknown>>
  if (typeof identity !== 'string' || typeof proof !== 'string') return undefined
  const expected = Buffer.from(answerChallenge(challenge, { ...signer, identity })?.proof ?? '')
  const given = Buffer.from(proof)
  const isRight = given.length === expected.length && load().timingSafeEqual(given, expected)
  return isRight ? identity : undefined
}

/** Loaded when it is needed: most hooks prove nothing. */
const load = (): typeof crypto => process.getBuiltinModule('node:crypto')
