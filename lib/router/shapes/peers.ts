import { z } from 'zod'
import { processIdentity, time } from './common.ts'

/** `network`: everybody; `machine`: the caller's computer; `directory`, `repo`: its directory, its repository. */
export const scope = z.enum(['network', 'machine', 'directory', 'repo'])
export type Scope = z.infer<typeof scope>

/**
 * What keeps a session from taking mail as others do.
 * - `no-hooks`: no hook of ours runs in it. It is another agent's, or hooks are disabled there.
 * - `unproven`: none has run yet. It is new and has no waiter, or hooks are disabled there.
 * - `dialog`: its turn stands at a question that only its user can answer.
 * - `stream`: it is headless, and a program gives it one prompt after another.
 */
export const obstacle = z.enum(['no-hooks', 'unproven', 'dialog', 'stream'])
export type Obstacle = z.infer<typeof obstacle>

/**
 * What a session says that it does: `busy` while a turn runs. `wakeable`: a waiter listens, so that mail starts a turn
 * of an idle session. `headless`: a run without a person at its prompt, which ends with its work unless it is a stream.
 */
export const activityInput = z.object({
  activity: z.enum(['busy', 'idle']),
  wakeable: z.boolean(),
  headless: z.boolean(),
  obstacle: obstacle.optional(),
})
export type Activity = z.infer<typeof activityInput>

/** One peer as others see it. */
export const peer = z.object({
  id: z.string(),
  name: z.string(),
  host: z.string(),
  /** `name@host`, which any peer of the network can send to. */
  address: z.string(),
  kind: z.enum(['session', 'user']),
  directory: z.string(),
  /** The home directory of its user, where its machine has named it: paths below it are shown as `~/…`. */
  home: z.string().optional(),
  repo: z.string().nullable(),
  branch: z.string().nullable(),
  summary: z.string(),
  /** `online`: its MCP server is connected. `offline`: its mail waits until it comes back. */
  state: z.enum(['online', 'offline']),
  /** null: it is offline, or has not told this hub yet; `wakeable` and `headless` are false then. */
  activity: activityInput.shape.activity.nullable(),
  wakeable: z.boolean(),
  headless: z.boolean(),
  obstacle: obstacle.optional(),
  /** When it was last heard of; of one that is offline, since when it is gone. */
  seenAt: time,
  /** Messages that wait for it, queued or on offer. */
  waiting: z.number().int(),
})
export type Peer = z.infer<typeof peer>

const text = (length: number) => z.string().max(length)
const path = text(4_096).min(1)

/** What a computer says of itself; `home`: the home directory of its user. */
export const machine = z.object({
  id: z.string().regex(/^[\w-]{8,64}$/),
  host: text(255).min(1),
  home: path.optional(),
})

/**
 * What a session says of itself. `repository`: the common git directory of its worktrees. What its project is known by
 * when it was moved: `remote`, a digest of its origin's URL, and `place`, inode and birth of its `.git`, else of
 * the directory; `formerRoots`: of the roots that `peers.formerRoots` named, those that are gone. `start` is an opaque token that differs when a pid is reused, `namespace` one that
 * differs where a pid means another process, as in a container.
 */
export const registerInput = z.object({
  machine,
  kind: z.enum(['session', 'user']).default('session'),
  directory: path,
  root: path,
  isRepo: z.boolean(),
  repository: path.optional(),
  remote: text(64).min(1).optional(),
  place: text(128).min(1).optional(),
  formerRoots: z.array(path).max(50).optional(),
  branch: text(255).optional(),
  summary: text(500),
  process: processIdentity.optional(),
  sessionId: text(128).min(1).optional(),
})

export const formerRootsInput = registerInput.pick({ machine: true, root: true, remote: true, place: true })
/** `isSamePlace`: what stood there had the same place. */
export const formerRoots = z.object({ roots: z.array(z.object({ root: path, isSamePlace: z.boolean() })) })

/** `key` speaks for the peer: it goes into the header of every call that reads its mail or sends as it. */
export const registered = z.object({
  peer,
  key: z.string(),
  origin: z.enum(['same-process', 'resumed', 'succeeded', 'new']),
})

export const summaryInput = z.object({ summary: text(500).trim() })
/** `unused`: a short-lived server, as of a health check, that no prompt, tool call or hook made use of. */
export const leaveInput = z.object({ unused: z.boolean().default(false) }).optional()
export const bindInput = z.object({ sessionId: text(128).min(1) })

const wanted = z.object({
  scope: scope.default('network'),
  /** Only who has this in its address, directory, branch or summary, in any case. */
  search: text(200).trim().min(1).optional(),
})
/**
 * A page of the seats by name, host and id: at most `limit`, fewer where they have long paths. `cursor`: the `nextCursor`
 * of the page before, which is null after the last.
 */
export const listInput = wanted
  .extend({ cursor: z.string().max(1_024).optional(), limit: z.number().int().min(1).max(200).default(100) })
  .prefault({})
export const listed = z.object({
  self: peer.nullable(),
  peers: z.array(peer),
  nextCursor: z.string().nullable(),
})

export const nearestInput = wanted
  .extend({ limit: z.number().int().min(1).max(100).default(50) })
  .prefault({})
/** `total`: how many there are besides the caller, shown or not; people count as online. */
export const nearest = z.object({
  self: peer.nullable(),
  peers: z.array(peer),
  total: z.object({ online: z.number().int(), gone: z.number().int() }),
})
export type Nearest = z.infer<typeof nearest>

/**
 * A snapshot first, in parts of which all but the last have `more`, then what changes, each as the state that it led to. A
 * caller that is cut off within the snapshot is given a new one. `joined` and `left`: its presence changed since
 * the caller was last up to date. Of several changes in between the last is told, so that who was away and came back has
 * joined anew; and to a caller that is behind, a second change of one who joined may come as joined again.
 */
export const peersEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), peers: z.array(peer), more: z.boolean() }),
  z.object({ type: z.enum(['joined', 'changed', 'left']), peer }),
])
export type PeersEvent = z.infer<typeof peersEvent>
