/**
 * Whom a restored database lets in. A backup tells who was let in when it was made; a machine that was shut out since must
 * stay so, and one that has joined since is still there. So the tokens are those of the database that a backup takes the
 * place of, and a token is that of the backup only where nothing newer tells of it.
 */
import Sqlite from 'better-sqlite3'
import { openUntouched } from './inspect.ts'
import { INVITATION_MS } from './limits.ts'

type Row = {
  id: string
  label: string
  hash: string
  machineId: string | null
  createdAt: number
  boundAt: number | null
  seenAt: number | null
  revokedAt: number | null
  host: string | null
  hostCreatedAt: number | null
  hostSeenAt: number | null
}

/**
 * Brings the tokens of the database at `present` into a restored one, and returns the labels of the live ones that only the
 * backup knows. A `present` that is undefined or cannot be read tells of none.
 */
export function keepTokens(
  restored: Sqlite.Database,
  { present, now }: { present: string | undefined; now: number },
): string[] {
  const rows = present === undefined ? [] : readTokens(present)
  restored.transaction(() => bring(restored, rows, now)).immediate()
  const known = new Set(rows.map(({ id }) => id))
  return (restored.prepare(LIVE).all({ since: now - INVITATION_MS }) as Pick<Row, 'id' | 'label'>[])
    .filter(({ id }) => !known.has(id))
    .map(({ label }) => label)
}

const LIVE = `select id, label from machine_tokens
  where revoked_at is null and (machine_id is not null or created_at > @since) order by label`
const READ = `select t.id, t.label, t.token_hash as hash, t.machine_id as machineId, t.created_at as createdAt,
    t.bound_at as boundAt, t.seen_at as seenAt, t.revoked_at as revokedAt, m.host, m.created_at as hostCreatedAt,
    m.seen_at as hostSeenAt
  from machine_tokens t left join machines m on m.id = t.machine_id`
const NOTE_MACHINE = `insert into machines (id, host, created_at, seen_at)
  values (@machineId, @host, @hostCreatedAt, @hostSeenAt) on conflict do nothing`
const MAKE_ROOM = `update machine_tokens set revoked_at = @now
  where id <> @id and revoked_at is null and (label = @label or machine_id = @machineId)`
const REVOKE = 'update machine_tokens set revoked_at = @revokedAt where id = @id and revoked_at is null'
const PUT = `insert into machine_tokens (id, label, token_hash, machine_id, created_at, bound_at, seen_at, revoked_at)
  values (@id, @label, @hash, @machineId, @createdAt, @boundAt, @seenAt, @revokedAt)
  on conflict (id) do update set machine_id = coalesce(machine_id, @machineId), bound_at = coalesce(bound_at, @boundAt),
    seen_at = coalesce(@seenAt, seen_at)`

function readTokens(file: string): Row[] {
  try {
    const sqlite = openUntouched(file)
    try {
      return sqlite.prepare(READ).all() as Row[]
    } finally {
      sqlite.close()
    }
  } catch (cause) {
    // It is damaged, or of a version that knew no machines.
    if (cause instanceof Sqlite.SqliteError) return []
    throw cause
  }
}

/** A label and a machine have one live token at most: those that end now make room first. */
function bring(restored: Sqlite.Database, rows: Row[], now: number): void {
  const [note, makeRoom, revoke, put] = [NOTE_MACHINE, MAKE_ROOM, REVOKE, PUT].map((sql) =>
    restored.prepare(sql),
  )
  const ended = rows.filter(({ revokedAt }) => revokedAt !== null)
  for (const row of ended) revoke!.run(row)
  for (const row of rows) {
    if (row.machineId !== null) note!.run(row)
    if (row.revokedAt === null) makeRoom!.run({ ...row, now })
    put!.run(row)
  }
}
