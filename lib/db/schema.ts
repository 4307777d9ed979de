/**
 * The tables. Times are milliseconds since the Unix epoch. Every row that a feed reports carries `changed_seq`,
 * the number of its last change: a subscriber reads the rows above its cursor, so there is no event log to prune
 * and a slow reader sees the newest state instead of a backlog. The price: it may skip states in between.
 */
import { sql, type Column } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** What `in` says, in other words: for more than two values SQLite fills a table at each write, which is slower than the write. */
export const isOneOf = (column: Column, values: string[]) =>
  sql`(${sql.join(
    values.map((value) => sql`${column} = ${sql.raw(`'${value}'`)}`),
    sql` or `,
  )})`

/** One computer; `host` is its label, for display and addressing only. */
export const machines = sqliteTable(
  'machines',
  {
    id: text('id').primaryKey(),
    host: text('host').notNull(),
    /** The home directory of its user: paths below it are shown as `~/…`. */
    userHome: text('user_home'),
    createdAt: integer('created_at').notNull(),
    seenAt: integer('seen_at').notNull(),
  },
  (table) => [index('machines_host').on(table.host)],
)

/**
 * The token of one other machine, as a hash. It is an invitation until its first use binds it to that machine; a
 * machine has one live token at most.
 */
export const machineTokens = sqliteTable(
  'machine_tokens',
  {
    id: text('id').primaryKey(),
    /** What the person calls it, not the host of the machine that it is bound to. */
    label: text('label').notNull(),
    tokenHash: text('token_hash').notNull(),
    machineId: text('machine_id').references(() => machines.id),
    createdAt: integer('created_at').notNull(),
    boundAt: integer('bound_at'),
    seenAt: integer('seen_at'),
    revokedAt: integer('revoked_at'),
  },
  (table) => [
    uniqueIndex('machine_tokens_label')
      .on(table.label)
      .where(sql`revoked_at is null`),
    uniqueIndex('machine_tokens_machine')
      .on(table.machineId)
      .where(sql`revoked_at is null`),
    check('machine_tokens_bound', sql`(${table.machineId} is null) = (${table.boundAt} is null)`),
    check(
      'machine_tokens_label_form',
      sql`${table.label} not glob '*[^a-z0-9-]*' and length(${table.label}) between 1 and 48`,
    ),
  ],
)

/** A seat: the durable name and mailbox of one session (or of the human at one machine). */
export const peers = sqliteTable(
  'peers',
  {
    id: text('id').primaryKey(),
    machineId: text('machine_id')
      .notNull()
      .references(() => machines.id),
    kind: text('kind', { enum: ['session', 'user'] }).notNull(),
    name: text('name').notNull(),
    /** The repository root, else the directory, that it works in now. */
    root: text('root').notNull(),
    /** The root whose sessions inherit the seat: a session that goes on in another one does not take its mail there. */
    home: text('home').notNull(),
    /** The common git directory of all worktrees of its repository. */
    repository: text('repository'),
    /** What the origin of the repository, and its place on the disk, are known by when its path is another: see `registerInput`. */
    remote: text('remote'),
    place: text('place'),
    cwd: text('cwd').notNull(),
    isRepo: integer('is_repo', { mode: 'boolean' }).notNull(),
    branch: text('branch'),
    summary: text('summary').notNull(),
    /** The Claude process and its start time, an opaque token that tells a reused pid apart. */
    pid: integer('pid'),
    pidStart: text('pid_start'),
    /** The pid namespace in which it has that pid; null where the system has none. */
    pidNamespace: text('pid_namespace'),
    sessionId: text('session_id'),
    keyHash: text('key_hash').notNull(),
    online: integer('online', { mode: 'boolean' }).notNull(),
    /** The change at which `online` last turned: tells a feed a join or a leave from any other change. */
    onlineSeq: integer('online_seq').notNull(),
    seenAt: integer('seen_at').notNull(),
    /** When the present holder took the seat; mail older than this was sent to a previous session. */
    heldSince: integer('held_since').notNull(),
    createdAt: integer('created_at').notNull(),
    changedSeq: integer('changed_seq').notNull(),
  },
  (table) => [
    uniqueIndex('peers_machine_name').on(table.machineId, table.name),
    index('peers_name').on(table.name),
    index('peers_process').on(table.machineId, table.pid),
    index('peers_home').on(table.machineId, table.home),
    index('peers_changed').on(table.changedSeq),
    index('peers_idle')
      .on(table.seenAt)
      .where(sql`online = 0`),
    check('peers_kind', sql`${table.kind} in ('session', 'user')`),
    check(
      'peers_name_form',
      // Of ASCII, the signs of names; of everything beyond it, what `toForm` leaves.
      sql`${table.name} not glob '*[^-a-z0-9' || char(128) || '-' || char(1114111) || ']*' and length(${table.name}) between 1 and 64`,
    ),
  ],
)

/** Every Claude session id that a seat has been bound to: `/clear` gives a session a new one. */
export const sessions = sqliteTable(
  'sessions',
  {
    sessionId: text('session_id').notNull(),
    peerId: text('peer_id')
      .notNull()
      .references(() => peers.id, { onDelete: 'cascade' }),
    boundAt: integer('bound_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.sessionId, table.peerId] }),
    index('sessions_peer').on(table.peerId),
  ],
)

/** What was said, once, whoever it goes to. */
export const messages = sqliteTable(
  'messages',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    senderId: text('sender_id')
      .notNull()
      .references(() => peers.id),
    idempotencyKey: text('idempotency_key').notNull(),
    /** Length of the body in UTF-16 code units, the unit of the client's context limits. */
    chars: integer('chars').notNull(),
    urgency: text('urgency', { enum: ['normal', 'fyi'] }).notNull(),
    replyTo: integer('reply_to'),
    /** A `note` is the network's own word to the peer that is its sender and recipient, about `reply_to`. */
    kind: text('kind', { enum: ['message', 'note'] })
      .notNull()
      .default('message'),
    /** Set when it was sent to `all`: a repeated send may find others there, and is the same message. */
    scope: text('scope', { enum: ['machine', 'directory', 'repo'] }),
    createdAt: integer('created_at').notNull(),
    /** The last column: to read those before it, SQLite leaves the pages of a long body alone. */
    body: text('body').notNull(),
  },
  (table) => [
    // The key first: those of our clients begin with their time, so that new ones share a page.
    uniqueIndex('messages_idempotency').on(table.idempotencyKey, table.senderId),
    index('messages_sender').on(table.senderId),
    check('messages_urgency', sql`${table.urgency} in ('normal', 'fyi')`),
    check('messages_chars', sql`${table.chars} > 0`),
    check('messages_kind', sql`${table.kind} in ('message', 'note')`),
    check('messages_note', sql`${table.kind} <> 'note' or ${table.replyTo} is not null`),
    check('messages_scope', isOneOf(table.scope, ['machine', 'directory', 'repo'])),
  ],
)

/** One message on its way to one recipient. `settled_at` is null while it waits (queued or offered). */
export const deliveries = sqliteTable(
  'deliveries',
  {
    messageId: integer('message_id')
      .notNull()
      .references(() => messages.id, { onDelete: 'cascade' }),
    recipientId: text('recipient_id')
      .notNull()
      .references(() => peers.id),
    /** That of the message, for `deliveries_pair`; the message's own refers to the seat. */
    senderId: text('sender_id').notNull(),
    /** CRC-32 of the message's body, for that index as well; 0 of what v2 left. */
    digest: integer('digest').notNull().default(0),
    state: text('state', {
      enum: ['queued', 'offered', 'delivered', 'read', 'expired', 'retracted'],
    }).notNull(),
    /** The offer that last carried it; kept after its lease so that a late acknowledgement still counts. */
    offerId: text('offer_id'),
    leaseUntil: integer('lease_until'),
    attempts: integer('attempts').notNull().default(0),
    queuedAt: integer('queued_at').notNull(),
    offeredAt: integer('offered_at'),
    settledAt: integer('settled_at'),
    readAt: integer('read_at'),
    /** When it was last taken back after its delivery, because its reader did not get to it. */
    requeuedAt: integer('requeued_at'),
    /** Attempts that do not count against its wakes: those of sessions that have ended; below 0 for what was never shown. */
    earlierAttempts: integer('earlier_attempts').notNull().default(0),
    /** When the hub set out to tell the person that it stays unread; it is never told again. */
    notifiedAt: integer('notified_at'),
    expiresAt: integer('expires_at').notNull(),
    /** Until when the sender awaits an answer of this recipient; null when it asked for none. */
    replyBy: integer('reply_by'),
    /** The newest answer of this recipient to the sender. */
    replyId: integer('reply_id'),
    /** The note that told the sender that no answer had come in time. */
    noteId: integer('note_id'),
    changedSeq: integer('changed_seq').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.messageId, table.recipientId] }),
    // settled_at is always null here; without it SQLite looks every row that it counts up in the table.
    index('deliveries_waiting')
      .on(table.recipientId, table.state, table.messageId, table.settledAt)
      .where(sql`settled_at is null`),
    index('deliveries_leases')
      .on(table.leaseUntil)
      .where(sql`lease_until is not null`),
    index('deliveries_expiry')
      .on(table.expiresAt)
      .where(sql`settled_at is null`),
    index('deliveries_untold')
      .on(table.recipientId, table.queuedAt)
      .where(sql`state = 'queued' and notified_at is null`),
    index('deliveries_settled')
      .on(table.settledAt)
      .where(sql`settled_at is not null`),
    index('deliveries_unread')
      .on(table.recipientId, table.messageId)
      .where(sql`state = 'delivered'`),
    // The questions that neither an answer nor a note has settled.
    index('deliveries_asked')
      .on(table.replyBy)
      .where(sql`reply_by is not null and reply_id is null and note_id is null and state <> 'retracted'`),
    index('deliveries_owed')
      .on(table.recipientId, table.messageId)
      .where(sql`reply_by is not null and reply_id is null`),
    // With the digest, whether a pair has said the same lately is seen without a look at what it said.
    index('deliveries_pair').on(table.recipientId, table.senderId, table.messageId, table.digest),
    // What changes moves to its end: the only index of changes, as one for each sender would cost a page at each change.
    index('deliveries_changed').on(table.changedSeq),
    check(
      'deliveries_state',
      isOneOf(table.state, ['queued', 'offered', 'delivered', 'read', 'expired', 'retracted']),
    ),
    check('deliveries_lease', sql`(${table.state} = 'offered') = (${table.leaseUntil} is not null)`),
    check(
      'deliveries_offer',
      sql`${table.state} <> 'offered' or (${table.offerId} is not null and ${table.offeredAt} is not null)`,
    ),
    // What reached its reader was offered to it, and what was offered may have reached its reader.
    check(
      'deliveries_attempts',
      sql`case when ${isOneOf(table.state, ['offered', 'delivered', 'read'])} then ${table.attempts} > 0
        when ${table.state} = 'retracted' then ${table.attempts} = 0 else ${table.attempts} >= 0 end`,
    ),
    check(
      'deliveries_settled',
      sql`(${table.state} in ('queued', 'offered')) = (${table.settledAt} is null)`,
    ),
    check('deliveries_read', sql`(${table.state} = 'read') = (${table.readAt} is not null)`),
    check('deliveries_note', sql`${table.noteId} is null or ${table.replyBy} is not null`),
  ],
)
