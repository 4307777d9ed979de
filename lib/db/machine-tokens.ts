/**
 * The tokens of other machines. Only a hash is kept. An invitation becomes the token of the machine that uses it first,
 * within a day; the price of that ease is that an invitation is worth as much as the machine until then.
 */
import { and, asc, eq, isNull, lte, or, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { createSecret, hashKey, matchesKey, toTokenId } from './keys.ts'
import { INVITATION_MS, RETENTION_MS } from './limits.ts'
import { machineTokens } from './schema.ts'

export type MachineTokens = ReturnType<typeof createMachineTokens>
export type MachineToken = typeof machineTokens.$inferSelect

/** How often the use of a token is written down at most: it costs a commit. */
const SEEN_EVERY_MS = 60_000

/** Reads and changes of machine tokens. All are synchronous; writes belong inside `queue.run`. */
export function createMachineTokens(connection: Connection) {
  const { now } = connection
  const statements = prepare(connection)
  const get = (id: string): MachineToken | undefined => statements.byId.get({ id })
  const isExpired = (token: MachineToken) =>
    token.machineId === null && token.createdAt + INVITATION_MS <= now()
  const isLive = (token: MachineToken) => token.revokedAt === null && !isExpired(token)
  const live = (token: MachineToken | undefined) => (token && isLive(token) ? token : undefined)
  function match(text: string): MachineToken | undefined {
    const [, id, secret] = /^(m_[0-9a-z]{13})\.([\w-]{43})$/.exec(text) ?? []
    const token = id === undefined ? undefined : get(id)
    return token && matchesKey(secret!, token.tokenHash) ? token : undefined
  }

  return {
    /** Invites a machine; `undefined` when another live token has the label. The text is told here and never again. */
    create(label: string): { row: MachineToken; text: string } | undefined {
      const before = statements.unrevoked.get({ label })
      if (before && isLive(before)) return undefined
      if (before) statements.revoke.run({ id: before.id, now: now() })
      const id = toTokenId()
      const secret = createSecret()
      statements.create.run({ id, label, tokenHash: hashKey(secret), now: now() })
      return { row: get(id)!, text: `${id}.${secret}` }
    },
    /** The live token of this text; `undefined` for one that is wrong, revoked, or an invitation that is over. */
    find: (text: string): MachineToken | undefined => live(match(text)),
    /** Whether a text was that of a token which is revoked, or an invitation which is over. */
    isOver: (text: string): boolean => {
      const token = match(text)
      return token !== undefined && !isLive(token)
    },
    /** The token with this id, if it is live. */
    live: (id: string): MachineToken | undefined => live(get(id)),
    /** The live token of a machine. */
    ofMachine: (machineId: string): MachineToken | undefined => statements.ofMachine.get({ machineId }),
    /** Whether any token can be used. */
    any: (): boolean => statements.any.get({ before: now() - INVITATION_MS }) !== undefined,
    /** Makes an invitation the token of a machine, which must be noted. False when either has one of the other. */
    bind(id: string, machineId: string): boolean {
      if (statements.ofMachine.get({ machineId })) return false
      return statements.bind.run({ id, machineId, now: now() }).changes > 0
    },
    list: (): (MachineToken & { expired: boolean })[] =>
      statements.all
        .all({})
        .map((token) => ({ ...token, expired: token.revokedAt === null && isExpired(token) })),
    /** Ends a token for good; the argument is its label or its id. `undefined` when no unrevoked one has either. */
    revoke(labelOrId: string): MachineToken | undefined {
      const named = statements.unrevoked.get({ label: labelOrId }) ?? get(labelOrId)
      if (!named || named.revokedAt !== null) return undefined
      statements.revoke.run({ id: named.id, now: now() })
      return get(named.id)
    },
    /** Whether a use of this token now is worth `touch`: once a minute. */
    isDue: ({ seenAt }: MachineToken): boolean => seenAt === null || seenAt + SEEN_EVERY_MS <= now(),
    /** Writes down that the token was used. */
    touch: (id: string) => void statements.touch.run({ id, now: now() }),
    /** Forgets what was revoked, or never used, 30 days ago. */
    forgetOld: (): number => statements.forgetOld.run({ before: now() - RETENTION_MS }).changes,
  }
}

function prepare({ orm }: Connection) {
  const value = (name: string) => sql`${sql.placeholder(name)}`
  const one = eq(machineTokens.id, sql.placeholder('id'))
  const unrevoked = isNull(machineTokens.revokedAt)
  const select = () => orm.select().from(machineTokens)
  return {
    create: orm
      .insert(machineTokens)
      .values({
        id: sql.placeholder('id'),
        label: sql.placeholder('label'),
        tokenHash: sql.placeholder('tokenHash'),
        createdAt: sql.placeholder('now'),
      })
      .prepare(),
    byId: select().where(one).prepare(),
    unrevoked: select()
      .where(and(eq(machineTokens.label, sql.placeholder('label')), unrevoked))
      .prepare(),
    ofMachine: select()
      .where(and(eq(machineTokens.machineId, sql.placeholder('machineId')), unrevoked))
      .prepare(),
    all: select().orderBy(asc(machineTokens.createdAt), asc(machineTokens.id)).prepare(),
    any: orm
      .select({ id: machineTokens.id })
      .from(machineTokens)
      .where(
        and(
          unrevoked,
          sql`(${machineTokens.machineId} is not null or ${machineTokens.createdAt} > ${sql.placeholder('before')})`,
        ),
      )
      .limit(1)
      .prepare(),
    bind: orm
      .update(machineTokens)
      .set({ machineId: value('machineId'), boundAt: value('now') })
      .where(and(one, unrevoked, isNull(machineTokens.machineId)))
      .prepare(),
    revoke: orm
      .update(machineTokens)
      .set({ revokedAt: value('now') })
      .where(and(one, unrevoked))
      .prepare(),
    touch: orm
      .update(machineTokens)
      .set({ seenAt: value('now') })
      .where(one)
      .prepare(),
    forgetOld: orm
      .delete(machineTokens)
      .where(
        or(
          lte(machineTokens.revokedAt, sql.placeholder('before')),
          and(isNull(machineTokens.machineId), lte(machineTokens.createdAt, sql.placeholder('before'))),
        ),
      )
      .prepare(),
  }
}
