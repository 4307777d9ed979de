#!/usr/bin/env bash
# Guess: a value for `sql.placeholder()` in a prepared Drizzle statement is converted by the column it stands beside, in `where`
# as in `values` and `set`. So a statement that works on one engine works on another with the same kind of column.
#
# Seen with drizzle-orm 0.45.4, better-sqlite3 12.11.1 and @electric-sql/pglite 0.5.17: `values` and `set` convert it, `where`
# does not, while a value that is given directly in `where` is converted. PostgreSQL hides this, because its driver sends
# each of these values in a form that the server understands. On SQLite a bigint that is stored as a blob is compared with an
# integer, so the statement finds no row and raises no error; a Date and a boolean raise an error when they are bound, and an
# object of a JSON column is taken for named parameters.
#
# What follows for a prepared statement: convert the value by hand, or bind `sql.param(sql.placeholder('v'), column)`.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent drizzle-orm@0.45.4 better-sqlite3@12.11.1 @electric-sql/pglite@0.5.17
cat >main.mjs <<'JS'
import assert from 'node:assert/strict'
import Database from 'better-sqlite3'
import { PGlite } from '@electric-sql/pglite'
import { eq, sql } from 'drizzle-orm'
import { drizzle as onSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as onPostgres } from 'drizzle-orm/pglite'
import * as pg from 'drizzle-orm/pg-core'
import * as sqlite from 'drizzle-orm/sqlite-core'

const engines = {
  sqlite: {
    db: onSqlite(new Database(':memory:')),
    table: sqlite.sqliteTable('t', {
      bigint: sqlite.blob('bigint', { mode: 'bigint' }),
      date: sqlite.integer('date', { mode: 'timestamp' }),
      boolean: sqlite.integer('boolean', { mode: 'boolean' }),
      json: sqlite.text('json', { mode: 'json' }),
    }),
  },
  postgres: {
    db: onPostgres(new PGlite()),
    table: pg.pgTable('t', {
      bigint: pg.bigint('bigint', { mode: 'bigint' }),
      date: pg.timestamp('date', { withTimezone: true }),
      boolean: pg.boolean('boolean'),
      json: pg.jsonb('json'),
    }),
  },
}
engines.sqlite.db.run(sql`create table t (bigint blob, date integer, boolean integer, json text)`)
await engines.postgres.db.execute(sql`create table t (bigint bigint, date timestamptz, boolean boolean, json jsonb)`)

const row = { bigint: 5n, date: new Date('2026-01-01T00:00:00Z'), boolean: true, json: { a: 1 } }
const count = async (rows) => rows().then(
  (found) => found.length,
  () => 'error',
)
const seen = {}
for (const [engine, { db, table }] of Object.entries(engines)) {
  const placeholders = Object.fromEntries(Object.keys(row).map((name) => [name, sql.placeholder(name)]))
  await db.insert(table).values(placeholders).prepare('insert').execute(row)
  for (const [name, value] of Object.entries(row)) {
    const column = table[name]
    const find = (operand) => db.select().from(table).where(eq(column, operand)).prepare(`find_${name}`)
    const encoded = sql`${sql.param(sql.placeholder('v'), column)}`
    seen[`${engine} ${name}`] = [
      await count(async () => db.select().from(table).where(eq(column, value))),
      await count(async () => find(sql.placeholder('v')).execute({ v: value })),
      await count(async () => find(encoded).execute({ v: value })),
    ]
  }
}
console.log('rows found by [a direct value, a placeholder, a placeholder that names its column]:')
console.log(seen)
assert.deepEqual(seen, {
  'sqlite bigint': [1, 0, 1],
  'sqlite date': [1, 'error', 1],
  'sqlite boolean': [1, 'error', 1],
  'sqlite json': [1, 'error', 1],
  'postgres bigint': [1, 1, 1],
  'postgres date': [1, 1, 1],
  'postgres boolean': [1, 1, 1],
  'postgres json': [1, 1, 1],
})
JS
timeout 120 node main.mjs
echo 'as described'
