import Sqlite from 'better-sqlite3'
import { expect, test, vi } from 'vitest'
import { openWorld } from './harness.ts'

/** `bare`: a value is bound to a `?` without a plus. `tables`: how many tables of its own a run fills. */
type Plan = { text: string; steps: string[]; bare: boolean; tables: number }

/** The plan of every statement that opening a database prepares. */
function readPlans(): Plan[] {
  const prepare = vi.spyOn(Sqlite.prototype, 'prepare')
  using world = openWorld()
  const texts = prepare.mock.calls.map(([text]) => text)
  prepare.mockRestore()
  const ours = texts.filter((text) => /^(select|insert|update|delete)\b/.test(text))
  return ours.map((text) => {
    const values = Array.from({ length: text.split('?').length - 1 }, () => null)
    const explain = <Row>(how: string) =>
      world.database.sqlite.prepare(`${how} ${text}`).all(...values) as Row[]
    const rows = explain<{ detail: string }>('explain query plan')
    const codes = explain<{ opcode: string }>('explain').map((row) => row.opcode)
    const plain = text.replaceAll('+?', '?').replaceAll('"', '').replaceAll(/\s+/g, ' ')
    return {
      text: plain,
      steps: rows.map((row) => row.detail),
      bare: /[^+]\?/.test(text),
      tables: codes.filter((code) => code === 'OpenEphemeral').length,
    }
  })
}

/** Reads a table from end to end; a subquery or a common row that was made before is none. */
const isScan = (step: string) =>
  /^SCAN (peers|senders|recipients|deliveries|open|other|messages|replies|answers|answered|asked|said|machines|sender_machines|sessions)\b/.test(
    step,
  )

const plans = readPlans()
const planOf = (...parts: string[]): Plan => {
  const found = plans.filter(({ text }) => parts.every((part) => text.includes(part)))
  if (found.length === 0) throw new Error(`no statement has ${parts.join(' and ')}`)
  return found[0]!
}

test('no statement scans a table, but for those that list or count everybody and the stages', () => {
  const scanning = plans.filter(({ steps }) => steps.some(isScan)).map(({ text }) => text)
  const known = [
    'where (peers.online = 1 or peers.seen_at > ?) order by peers.name asc',
    'where peers.online = ?',
    'select coalesce(sum(online), 0), count(*) from peers',
    "where settled_at is null and state = 'queued'), (select count(*)",
    // The first of an index.
    'select queued_at from deliveries where deliveries.settled_at is null order by deliveries.expires_at asc limit ?',
    'select id from peers where exists (select 1 from deliveries',
    'from machines where (machines.id <> ? and machines.id not like ?',
  ]
  expect(scanning.filter((text) => !known.some((part) => text.includes(part)))).toEqual([])
  for (const part of known) expect(scanning.some((text) => text.includes(part))).toBe(true)
})

test('no plan hangs on a value, so that no run of a statement plans it anew', () => {
  expect(plans.filter(({ bare }) => bare)).toEqual([])
  expect(plans.filter(({ text }) => text.includes('?')).length).toBeGreaterThan(50)
})

test('what a message goes through fills no table', () => {
  const steps = {
    'insert into messages': 0,
    'insert into deliveries': 0,
    'limit 1 offset 59': 0,
    'select 1 from deliveries where ((deliveries.recipient_id = ?': 0,
    'messages.chars, messages.urgency from deliveries': 0,
    'update deliveries set state = ?, offer_id = ?, lease_until = ?, attempts = deliveries.attempts + 1': 0,
    'select message_id, sender_id, queued_at from deliveries': 0,
    'update deliveries set state = ?, lease_until = ?, settled_at = ?': 0,
  }
  const filled = Object.keys(steps).map((text) => [text, planOf(text).tables])
  expect(Object.fromEntries(filled)).toEqual(steps)
})

test('the mail that has waited longest is the first of an index', () => {
  expect(planOf('select queued_at from deliveries').steps).toEqual([
    'SCAN deliveries USING INDEX deliveries_expiry',
  ])
})

test('the stages are counted by two small indexes', () => {
  const { steps } = planOf("state = 'offered'), (select count(*)")
  expect(steps.filter((step) => step.includes('deliveries'))).toEqual([
    'SCAN deliveries USING COVERING INDEX deliveries_waiting',
    'SCAN deliveries USING COVERING INDEX deliveries_waiting',
    'SEARCH deliveries USING COVERING INDEX deliveries_settled (settled_at>?)',
  ])
})

test.for([
  ['hasMail', ['select 1 from deliveries', 'lease_until <= ?']],
  ['what a consume chooses from', ['lease_until, messages.chars, messages.urgency']],
  ['what is worth waking for', ['select count(*) from deliveries inner join messages']],
  ['the mail of an offer', ['select message_id, sender_id, queued_at from', 'deliveries.offer_id = ?']],
  ['the unread mail on offer', ['select message_id, offered_at from deliveries', "state = 'offered'"]],
  ['peek', ['answered.created_at', ">= 'offered') order by"]],
] as const)('%s reads the waiting mail of one mailbox', ([, parts]) => {
  const steps = planOf(...parts).steps.filter((step) => /\b(deliveries|open)\b/.test(step))
  expect(steps.length).toBeGreaterThan(0)
  for (const step of steps) {
    expect(step).toMatch(/^SEARCH \w+ USING (COVERING )?INDEX deliveries_waiting \(recipient_id=\?/)
  }
})

test.for([
  ['of queued mail', ['select count(*) from deliveries where (', "state = 'queued'"]],
  ['of a listed peer', ['select count(*) from deliveries where (', 'settled_at is null)']],
  ['of a seat that was not seen for long', ['exists (select 1 from deliveries', 'peers.seen_at <= ?']],
] as const)('the count %s reads the index of waiting mail alone', ([, parts]) => {
  const steps = planOf(...parts).steps.filter((step) => step.includes('deliveries'))
  expect(steps.length).toBeGreaterThan(0)
  for (const step of steps) {
    expect(step).toMatch(
      /^SEARCH deliveries (EXISTS )?USING COVERING INDEX deliveries_waiting \(recipient_id=\?/,
    )
  }
})

test.for([
  [
    'a message that is offered',
    ['answered.created_at', 'deliveries.attempts > ?'],
    'INDEX sqlite_autoindex_deliveries_1 (message_id=? AND recipient_id=?)',
  ],
  [
    'the count that bounds a mailbox',
    ['limit 1 offset 59'],
    'COVERING INDEX deliveries_waiting (recipient_id=?)',
  ],
  [
    'how often a pair has written lately',
    ['limit 1 offset 59'],
    'COVERING INDEX deliveries_pair (recipient_id=? AND sender_id=?)',
  ],
  [
    'what a pair said in the last minute, and whether that is said again',
    ['newest.digest = ?'],
    'SEARCH messages USING INTEGER PRIMARY KEY (rowid=?)',
  ],
  [
    'the message of an idempotency key',
    ['from messages where (messages.idempotency_key = ?'],
    'messages_idempotency (idempotency_key=? AND sender_id=?)',
  ],
  ['how much has changed', ['select count(*) from (select 1'], 'deliveries_changed (changed_seq>?)'],
  [
    'what of one sender changed lately',
    ['deliveries.changed_seq > ? and deliveries.sender_id = ?'],
    'SEARCH deliveries USING INDEX deliveries_changed (changed_seq>?)',
  ],
  [
    'what of one sender changed long ago',
    ['messages.sender_id = ? and +deliveries.changed_seq > ?'],
    'SEARCH messages USING COVERING INDEX messages_sender (sender_id=?)',
  ],
  [
    'the receipts of certain deliveries',
    ['json_each(?)'],
    'SEARCH deliveries USING INDEX sqlite_autoindex_deliveries_1 (message_id=? AND recipient_id=?)',
  ],
  ['changedSince of messages', ['where deliveries.changed_seq > ?'], 'deliveries_changed (changed_seq>?)'],
  ['changedSince of peers', ['where peers.changed_seq > ?'], 'peers_changed (changed_seq>?)'],
  ['the history of a peer, as recipient', ['union'], 'deliveries_pair (recipient_id=?)'],
  [
    'the receipts of a page of history',
    ['union'],
    'SEARCH deliveries USING INDEX sqlite_autoindex_deliveries_1 (message_id=?)',
  ],
  ['the seats to remove', ["kind = 'session' and not exists"], 'peers_idle (seen_at<?)'],
  [
    'the mail to expire',
    ["state = 'queued' and deliveries.expires_at <= ?"],
    'deliveries_expiry (expires_at<?)',
  ],
  [
    'the messages to forget',
    ['not exists ( select 1 from deliveries as other'],
    'deliveries_settled (settled_at<?)',
  ],
  ['delivered mail that is unread', ['deliveries.settled_at > ?'], 'deliveries_unread (recipient_id=?)'],
  [
    'whom unread mail waits for',
    ['select id from peers where exists (select 1 from deliveries'],
    'deliveries_untold (recipient_id=? AND queued_at<?)',
  ],
  [
    'the unread mail of one',
    ["|| '@' ||", 'notified_at is null'],
    'deliveries_untold (recipient_id=? AND queued_at<?)',
  ],
  ['the questions to settle', ['deliveries.reply_by <= ?'], 'deliveries_asked (reply_by>? AND reply_by<?)'],
  [
    'the answer before one that is taken back',
    ['from deliveries answers', 'messages.reply_to = ?'],
    'deliveries_pair (recipient_id=? AND sender_id=? AND message_id>?)',
  ],
  [
    'what a peer sent last',
    ['in (select id from messages where (messages.sender_id = ?'],
    'SEARCH messages USING INDEX messages_sender (sender_id=? AND rowid<?)',
  ],
  [
    'what a peer has no answer to',
    ["messages.urgency = 'normal'"],
    'SEARCH messages USING INDEX messages_sender (sender_id=?)',
  ],
  [
    'what others await its answer to',
    ["state in ('delivered', 'read')"],
    'SEARCH deliveries USING INDEX deliveries_owed (recipient_id=?)',
  ],
  ['the leases that are too long', ['set lease_until'], 'deliveries_leases (lease_until>?)'],
  ['the leases to end', ['where deliveries.lease_until <= ?'], 'deliveries_leases (lease_until<?)'],
] as const)('%s is found by its index', ([, parts, index]) => {
  expect(planOf(...parts).steps.join('\n')).toContain(index)
})

test.for(['peers', 'messages'])('removing a row of %s looks for its children by index', (table) => {
  const { steps } = planOf(`delete from ${table} where`)
  expect(steps.filter((step) => step.startsWith('SEARCH')).length).toBeGreaterThan(0)
  expect(steps.filter(isScan)).toEqual([])
})

test('what was sent and what waits for an answer is read newest first, and no further than asked', () => {
  for (const parts of [["messages.urgency = 'normal'"], ["state in ('delivered', 'read')"]]) {
    expect(planOf(...parts).steps.join('\n')).not.toContain('TEMP B-TREE')
  }
})

test('what a consume chooses from, and what an acknowledgement settles, is read without a sort', () => {
  for (const parts of [
    ['messages.chars, messages.urgency'],
    ['message_id, sender_id, queued_at from deliveries where ('],
  ]) {
    expect(planOf(...parts).steps.join('\n')).not.toContain('TEMP B-TREE')
  }
})

test('a page of a feed is read in its order, and needs no sorting', () => {
  for (const parts of [
    ['where deliveries.changed_seq > ?'],
    ['deliveries.changed_seq > ? and deliveries.sender_id = ?'],
    ['where peers.changed_seq > ?'],
  ]) {
    expect(planOf(...parts).steps.join('\n')).not.toContain('TEMP B-TREE')
  }
})
