import { boolean, constant, constantFrom, integer, nat, oneof, record, uniqueArray } from 'fast-check'
import type { Arbitrary } from 'fast-check'
import { LEASE_MS, MESSAGE_TTL_MS } from '../../lib/db/limits.ts'
import type { Requeue } from '../../lib/db/mailbox.ts'
import { HOUR, SECOND } from './harness.ts'

export const SENDERS = 3
export const RECIPIENTS = 2

/** One thing that happens to a hub, its senders and its recipients. */
export type Action =
  | { do: 'send'; from: number; to: number[]; chars: number; fyi: boolean }
  /** The send of a client that heard no answer, or has changed the text under the same key. */
  | { do: 'repeat'; message: number; changed: boolean }
  | { do: 'consume'; to: number; budget: number; skipIfOnlyFyi: boolean }
  | { do: 'acknowledge' | 'release'; offer: number }
  | { do: 'retract' | 'confirm'; message: number }
  /** A transcript shows that a reader did not get to its mail, or a session has ended. */
  | { do: 'requeue'; message: number; why: Requeue }
  | { do: 'advance'; ms: number }
  | { do: 'sweep' }
  /** The hub ends in good order, or is killed, maybe with a send that it was asked for and did not commit. */
  | { do: 'restart' }
  | { do: 'crash'; asked: boolean }
  /** What happens to a recipient's session: `/clear`, its MCP server again, `--resume`, another one in its directory. */
  | { do: 'clear' | 'reconnect' | 'resume' | 'succeed'; to: number }

const recipient = nat(RECIPIENTS - 1)
/** Often a late one: chosen from the end of what there is so far. */
const recent = nat(4)

/** Any action, the frequent ones of life more often. */
export const action: Arbitrary<Action> = oneof(
  {
    weight: 12,
    arbitrary: record({
      do: constant('send' as const),
      from: nat(SENDERS - 1),
      to: uniqueArray(recipient, { minLength: 1 }),
      chars: integer({ min: 1, max: 12 }),
      fyi: boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: record({ do: constant('repeat' as const), message: recent, changed: boolean() }),
  },
  {
    weight: 10,
    arbitrary: record({
      do: constant('consume' as const),
      to: recipient,
      budget: integer({ min: 1, max: 40 }),
      skipIfOnlyFyi: boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: record({ do: constantFrom('acknowledge' as const, 'release' as const), offer: recent }),
  },
  {
    weight: 4,
    arbitrary: record({ do: constantFrom('retract' as const, 'confirm' as const), message: recent }),
  },
  {
    weight: 5,
    arbitrary: record({
      do: constant('requeue' as const),
      message: recent,
      why: constantFrom('dropped' as const, 'unseen' as const, 'ended' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: record({
      do: constant('advance' as const),
      ms: constantFrom(1, SECOND, LEASE_MS - 1, LEASE_MS, HOUR, MESSAGE_TTL_MS / 2),
    }),
  },
  { weight: 4, arbitrary: record({ do: constant('sweep' as const) }) },
  { weight: 1, arbitrary: record({ do: constant('restart' as const) }) },
  { weight: 1, arbitrary: record({ do: constant('crash' as const), asked: boolean() }) },
  {
    weight: 3,
    arbitrary: record({
      do: constantFrom('clear' as const, 'reconnect' as const, 'resume' as const, 'succeed' as const),
      to: recipient,
    }),
  },
)
