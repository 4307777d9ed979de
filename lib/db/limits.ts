/** How long a message waits for its recipient before it expires, unless the person sets another time: seven days. */
export const MESSAGE_TTL_MS = 7 * 24 * 60 * 60 * 1_000
/** How long what is due to expire waits on after the hub or its machine stood still: an hour. */
export const GRACE_MS = 60 * 60 * 1_000
/** How long an offered message belongs to the one caller who got it: 30 seconds. */
export const LEASE_MS = 30_000
/** How long after its delivery a message is still looked for in its reader's transcript: a week. */
export const CONFIRM_MS = 7 * 24 * 60 * 60 * 1_000
/** How long a message that was taken back after its delivery waits at least: a day. */
export const REQUEUED_TTL_MS = 24 * 60 * 60 * 1_000
/** How long a message waits with nobody there to take it before the person is told: 90 seconds. */
export const NOTIFY_AFTER_MS = 90_000
/** How often a message wakes its recipient: one whose delivery breaks each time must not do so for ever. */
export const MAX_WAKES = 3
/** How long settled messages stay readable: 30 days. */
export const RETENTION_MS = 30 * 24 * 60 * 60 * 1_000
/**
 * How many messages may wait in one mailbox: of one sender, of another machine, of all other machines together, and of the
 * recipient's own machine. Up to `person` of each person wait there however full it is.
 */
export const PLACES = { sender: 200, machine: 200, others: 400, own: 600, person: 25 }
/** The most bytes of mail that a machine may store a day: the hub's own, and each other. */
export const BYTES_A_DAY = { home: 2_048 * 1_024 * 1_024, other: 128 * 1_024 * 1_024 }
/** What the rows and indexes of a message take for each recipient, in bytes, rounded up. */
export const ROW_BYTES = 1_024
/**
 * The free disk below which no mail is taken: a tenth of a small disk, and 64 MiB of any other. The write-ahead log takes
 * 4 MB until it is written back, so less than 8 MiB would leave no room for acknowledgements.
 */
export const DISK_FLOOR = { most: 64 * 1_024 * 1_024, least: 8 * 1_024 * 1_024, part: 0.1 }
/** The most messages one peer may send another in a minute. */
export const MAX_SENDS_PER_MINUTE = 60
/** The most recipients of one message. */
export const MAX_RECIPIENTS = 50
/** How long an invitation to another machine can be used: a day. */
export const INVITATION_MS = 24 * 60 * 60 * 1_000
