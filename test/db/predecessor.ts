import { openPlain } from './harness.ts'

type OldPeer = { id: string; cwd: string; git_root?: string | null; [column: string]: unknown }
type OldMessage = { from_id: string; to_id: string; text: unknown; [column: string]: unknown }

const V1 = `
  create table peers (id text primary key, pid integer not null, cwd text not null, git_root text, tty text,
    summary text not null default '', registered_at text not null, last_seen text not null);
  create table messages (id integer primary key autoincrement, from_id text not null, to_id text not null,
    text text not null, sent_at text not null, delivered integer not null default 0);`

/** What v2 adds to the tables of v1 when it starts. */
export const V2 = `
  alter table peers add column name text not null default '';
  alter table peers add column claude_pid integer;
  alter table peers add column host text not null default '';
  alter table peers add column machine_id text;
  alter table messages add column status text not null default 'queued';
  alter table messages add column delivered_at text;
  alter table messages add column notified integer not null default 0;`

/** Writes a database as claude-peers v1 or v2 does. */
export function writePredecessor(
  file: string,
  { version, peers, messages }: { version: 1 | 2; peers: OldPeer[]; messages: OldMessage[] },
): void {
  using sqlite = openPlain(file)
  sqlite.pragma('journal_mode = WAL')
  sqlite.exec(version === 1 ? V1 : V1 + V2)
  const seen = '2026-11-20T08:00:00.000Z'
  for (const peer of peers) insert('peers', { pid: 1, registered_at: seen, last_seen: seen, ...peer })
  for (const message of messages) insert('messages', { sent_at: '2026-11-20T08:30:00.000Z', ...message })

  function insert(table: string, row: Record<string, unknown>) {
    const names = Object.keys(row)
    const text = `insert into ${table} (${names.join()}) values (${names.map(() => '?').join()})`
    sqlite.prepare(text).run(...Object.values(row))
  }
}
