/** The named steps at which a process is killed, as rules of the shim (shim/rule.c). */
export type Step = { at: string; rule: string }

/** The second message of the story: what the hub does for it is what the steps name. */
export const MARKED = '[web>api#2]'

const asked = (what: string) => `read socket:* has=${what};`

export const HUB_STEPS: Step[] = [
  { at: 'a send has arrived', rule: `read socket:* has=${MARKED} kill=after` },
  { at: 'a send: half of its log is written', rule: `${asked(MARKED)}write *-wal kill=half` },
  { at: 'a send: before the commit is synced', rule: `${asked(MARKED)}sync *-wal kill=before` },
  { at: 'a send: after the commit, before the answer', rule: `${asked(MARKED)}sync *-wal kill=after` },
  { at: 'a send: half of the answer', rule: `${asked(MARKED)}write socket:* has=messageId kill=half` },
  { at: 'a send: after the answer', rule: `${asked(MARKED)}write socket:* has=messageId kill=after` },
  { at: 'an offer: before the commit', rule: `${asked('mailbox.consume')}sync *-wal kill=before` },
  {
    at: 'an offer: after the commit, before the answer',
    rule: `${asked('mailbox.consume')}sync *-wal kill=after`,
  },
  { at: 'an offer: half of the answer', rule: 'write socket:* has=offerId kill=half' },
  { at: 'an offer: after the answer', rule: 'write socket:* has=offerId kill=after' },
  { at: 'an acknowledgement: before the commit', rule: `${asked('mailbox.ack')}sync *-wal kill=before` },
  {
    at: 'an acknowledgement: after the commit, before the answer',
    rule: `${asked('mailbox.ack')}sync *-wal kill=after`,
  },
  { at: 'an acknowledgement: after the answer', rule: `${asked('mailbox.ack')}write socket:* kill=after` },
  { at: 'its end: within the checkpoint', rule: `${asked(MARKED)}write *.claude-peers.db n=3 kill=half` },
  { at: 'its end: before the log is removed', rule: `${asked(MARKED)}unlink *-wal kill=before` },
  { at: 'its end: after the log is removed', rule: `${asked(MARKED)}unlink *-wal kill=after` },
]

export const HOOK_STEPS: Step[] = [
  { at: 'before it asks', rule: 'write socket:* has=mailbox.consume kill=before' },
  { at: 'half of its question', rule: 'write socket:* has=mailbox.consume kill=half' },
  { at: 'after it asked', rule: 'write socket:* has=mailbox.consume kill=after' },
  { at: 'after the answer, before print', rule: 'read socket:* has=offerId kill=after' },
  { at: 'half a print', rule: 'write fd:1 kill=half' },
  { at: 'after print, before ack', rule: 'write fd:1 kill=after' },
  { at: 'half an ack', rule: 'write socket:* has=mailbox.ack kill=half' },
  { at: 'after the ack was sent', rule: 'write socket:* has=mailbox.ack kill=after' },
  { at: 'between ack and exit', rule: 'write socket:* has=mailbox.ack;read socket:* kill=after' },
]

export const MCP_STEPS: Step[] = [
  { at: 'before register', rule: 'write socket:* has=peers.register kill=before' },
  { at: 'register sent', rule: 'write socket:* has=peers.register kill=after' },
  {
    at: 'registered, before the card is written',
    rule: 'write socket:* has=peers.register;read socket:* has=key kill=after',
  },
  { at: 'half a card', rule: 'write *sessions/*.json.*.tmp kill=half' },
  { at: 'before the card is in its place', rule: 'rename *sessions/*.json kill=before' },
  { at: 'after the card is in its place', rule: 'rename *sessions/*.json kill=after' },
  { at: 'before the flag is raised', rule: 'rename *.mail kill=before' },
  { at: 'after the flag is raised', rule: 'rename *.mail kill=after' },
  { at: 'check_messages: before the answer', rule: 'write fd:1 has=peer-message kill=before' },
  { at: 'check_messages: half of the answer', rule: 'write fd:1 has=peer-message kill=half' },
  { at: 'check_messages: after the answer, before ack', rule: 'write fd:1 has=peer-message kill=after' },
  { at: 'check_messages: after the ack', rule: 'write socket:* has=mailbox.ack;read socket:* kill=after' },
  { at: 'send_message: sent, before it is answered', rule: 'write socket:* has=messages.send kill=after' },
  {
    at: 'send_message: the hub has it, before the tool answers',
    rule: 'write socket:* has=messages.send;read socket:* has=messageId kill=after',
  },
]

/** The second message that a session keeps while it is cut off. */
const KEPT = '[session>web#2]'
const KEPT_FILE = '*spool/*.json'

/** Of an MCP server whose hub is away, and comes back. */
export const SPOOL_MCP_STEPS: Step[] = [
  { at: 'half of the kept file', rule: `write ${KEPT_FILE}.*.tmp has=${KEPT} kill=half` },
  { at: 'before the kept file is in its place', rule: `link ${KEPT_FILE} n=2 kill=before` },
  { at: 'after it is in its place, before the tool answers', rule: `link ${KEPT_FILE} n=2 kill=after` },
  { at: 'kept, half of the answer', rule: `link ${KEPT_FILE} n=2;write fd:1 kill=half` },
  { at: 'back: half of the kept message is sent', rule: `write socket:* has=${KEPT} kill=half` },
  { at: 'back: sent, before the hub answers', rule: `write socket:* has=${KEPT} kill=after` },
  {
    at: 'back: the hub has answered, before the file is removed',
    rule: `write socket:* has=${KEPT};read socket:* has=messageId kill=after`,
  },
  {
    at: 'back: the file is removed, before the next is sent',
    rule: 'write socket:* has=[session>web#3] kill=before',
  },
]

/** Of the hub to which it is sent. */
export const SPOOL_HUB_STEPS: Step[] = [
  { at: 'a kept message has arrived', rule: `read socket:* has=${KEPT} kill=after` },
  { at: 'a kept message: after the commit, before the answer', rule: `${asked(KEPT)}sync *-wal kill=after` },
  { at: 'a kept message: half of the answer', rule: `${asked(KEPT)}write socket:* has=messageId kill=half` },
]

export const MIGRATION_STEPS: Step[] = [
  { at: 'half a page of the rebuilt file', rule: 'write *.building* n=4 kill=half' },
  { at: 'before the rebuilt file is synced', rule: 'sync *.building kill=before' },
  { at: 'before the old file is kept', rule: 'link *v2-backup* kill=before' },
  { at: 'after the old file is kept', rule: 'link *v2-backup* kill=after' },
  { at: 'before the rename', rule: 'rename *.claude-peers.db kill=before' },
  { at: 'after the rename', rule: 'rename *.claude-peers.db kill=after' },
  { at: 'after the rename is durable', rule: 'rename *.claude-peers.db;sync * kill=after' },
]

/** Of the older hub that lets go. */
export const RELEASE_STEPS: Step[] = [
  { at: 'old hub: asked to let go', rule: 'read socket:* has=hub.stop kill=after' },
  {
    at: 'old hub: within its last checkpoint',
    rule: `${asked('hub.stop')}write *.claude-peers.db kill=half`,
  },
  { at: 'old hub: before its log is removed', rule: `${asked('hub.stop')}unlink *-wal kill=before` },
  { at: 'old hub: after its log is removed', rule: `${asked('hub.stop')}unlink *-wal kill=after` },
]

/** Of the newer hub that takes its place. */
export const CLAIM_STEPS: Step[] = [
  { at: 'new hub: before it asks', rule: 'write socket:* has=hub.stop kill=before' },
  { at: 'new hub: it has asked', rule: 'write socket:* has=hub.stop kill=after' },
  { at: 'new hub: it has the claim', rule: 'open *.claude-peers.db kill=before' },
  { at: 'new hub: before it says where it is', rule: 'rename *hub.json kill=before' },
  { at: 'new hub: after it said where it is', rule: 'rename *hub.json kill=after' },
]

export const WAITER_STEPS: Step[] = [
  { at: 'half in its place', rule: 'open *.waiter kill=after' },
  { at: 'in its place', rule: 'write *.waiter kill=after' },
  { at: 'at the bell, before it waits', rule: 'open *.bell kill=after' },
  { at: 'rung, before it says so', rule: 'read *.bell kill=after' },
  { at: 'half of its line', rule: 'write * has=mail kill=half' },
  { at: 'after its line, before its end', rule: 'write * has=mail kill=after' },
]

/** Of whatever settles the mail of a client that was killed. */
export const SETTLE_STEPS: Step[] = [
  { at: 'before it asks what is not read', rule: 'write socket:* has=mailbox.unread kill=before' },
  { at: 'before it confirms what was read', rule: 'write socket:* has=mailbox.confirm kill=before' },
  { at: 'it has confirmed that, before the rest', rule: 'write socket:* has=mailbox.requeue kill=before' },
  { at: 'half of what it queues again', rule: 'write socket:* has=mailbox.requeue kill=half' },
  { at: 'the rest is sent, before the hub answers', rule: 'write socket:* has=mailbox.requeue kill=after' },
  { at: 'the rest waits again, before its goodbye', rule: 'write socket:* has=peers.leave kill=before' },
  {
    at: 'after its goodbye, before the card is removed',
    rule: 'write socket:* has=peers.leave;read socket:* kill=after',
  },
]
