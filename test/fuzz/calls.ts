import { array, constantFrom, oneof, record, type Arbitrary } from 'fast-check'
import { anyJson, anyText, mutated } from './values.ts'

/** Inputs that the hub takes, by procedure: what is spoilt of them reaches further than noise does. */
export const INPUTS: Record<string, unknown> = {
  'hub.health': undefined,
  'hub.stats': undefined,
  'peers.register': {
    machine: { id: 'machine-of-tests', host: 'laptop' },
    kind: 'session',
    directory: '/src/api',
    root: '/src/api',
    isRepo: true,
    branch: 'main',
    summary: 'works',
    process: { pid: 1, start: 'a' },
    sessionId: 'a-session',
  },
  'peers.list': { scope: 'network', search: 'x', cursor: 'x', limit: 9 },
  'peers.nearest': { scope: 'network', search: 'x', limit: 9 },
  'peers.setSummary': { summary: 'works' },
  'peers.bindSession': { sessionId: 'another' },
  'peers.setActivity': { activity: 'idle', wakeable: true, headless: false },
  'peers.leave': undefined,
  'peers.remove': undefined,
  'peers.watch': { lastEventId: '1' },
  'messages.send': {
    to: ['victim', 'all'],
    scope: 'machine',
    message: 'hello',
    replyTo: 1,
    urgency: 'fyi',
    expectsReplyWithin: 5,
    idempotencyKey: 'a-key-of-tests',
  },
  'messages.status': { messageId: 1 },
  'messages.retract': { messageId: 1 },
  'messages.history': { with: 'victim', before: 10, limit: 5 },
  'messages.threads': { show: 'sent', limit: 5 },
  'messages.watch': { lastEventId: '1' },
  'mailbox.consume': { budget: 1_000, overhead: 10, skipIfOnlyFyi: false },
  'mailbox.ack': { offerId: 'an-offer', unshown: [1] },
  'mailbox.release': { offerId: 'an-offer' },
  'mailbox.confirm': { ids: [1, 2] },
  'mailbox.requeue': { ids: [1], why: 'dropped' },
  'mailbox.unread': undefined,
  'mailbox.peek': { limit: 5 },
  'mailbox.read': { messageId: 1, offset: 0, limit: 100 },
  'mailbox.watch': { lastEventId: '1' },
  'machines.invite': { label: 'desktop' },
  'machines.list': { cursor: '1', limit: 9 },
  'machines.revoke': { machine: 'desktop' },
  'machines.join': { machine: { id: 'machine-of-tests', host: 'laptop' } },
}

export type FuzzedCall = { path: string; input: unknown }

const known: Arbitrary<FuzzedCall> = constantFrom(...Object.keys(INPUTS)).chain((path) =>
  oneof(mutated(INPUTS[path] ?? {}), anyJson).map((input) => ({ path, input })),
)
/** A call of some procedure with some input. `hub.stop` does what it is asked, and is not asked. */
export const anyCall: Arbitrary<FuzzedCall> = oneof(
  { arbitrary: known, weight: 6 },
  record({ path: anyText, input: anyJson }),
).filter(({ path }) => !path.includes('stop'))

export const anyCalls: Arbitrary<FuzzedCall[]> = array(anyCall, { minLength: 1, maxLength: 4 })
