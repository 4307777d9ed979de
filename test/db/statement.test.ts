import { sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { expect, test } from 'vitest'
import { openOrm } from '../../lib/db/orm.ts'
import { openPlain } from './harness.ts'

const rows = sqliteTable('rows', {
  id: integer('id').primaryKey(),
  name: text('name'),
  done: integer('done', { mode: 'boolean' }).notNull(),
})

function open() {
  const sqlite = openPlain(':memory:')
  sqlite.exec('create table rows (id integer primary key, name text, done integer not null)')
  return Object.assign(openOrm(sqlite), { [Symbol.dispose]: () => void sqlite.close() })
}

test('what is bound and what a row holds have the types of their columns, and null stays null', () => {
  using orm = open()
  const value = sql.placeholder
  const insert = orm
    .insert(rows)
    .values({ id: value('id'), name: value('name'), done: value('done') })
    .returning()
    .prepare()
  expect(insert.get({ id: 1, name: null, done: true })).toEqual({ id: 1, name: null, done: true })
  expect(insert.all({ id: 2, name: 'two', done: false })).toEqual([{ id: 2, name: 'two', done: false }])
})

test('an expression is mapped as it says, also one with a name', () => {
  using orm = open()
  const isLarge = sql`${rows.id} > 1`.mapWith(Boolean)
  const select = orm
    .select({
      isLarge,
      named: isLarge.as('named'),
      plain: sql<number>`${rows.id} + ${sql.placeholder('more')}`,
    })
    .from(rows)
    .prepare()
  orm.insert(rows).values({ id: 2, done: true }).run()
  expect(select.all({ more: 5 })).toEqual([{ isLarge: true, named: true, plain: 7 }])
})

test('a row that is not there is undefined, and a change tells how many rows it took', () => {
  using orm = open()
  const select = orm
    .select()
    .from(rows)
    .where(sql`${rows.id} = ${sql.placeholder('id')}`)
    .prepare()
  expect(select.get({ id: 1 })).toBeUndefined()
  expect(select.all({ id: 1 })).toEqual([])
  expect(orm.delete(rows).prepare().run().changes).toBe(0)
})

test('raw SQL, of which drizzle knows no fields, gives its rows as they are', () => {
  using orm = open()
  orm.run(sql`insert into rows values (1, 'one', 1)`)
  expect(orm.all(sql`select * from rows where id = ${1}`)).toEqual([{ id: 1, name: 'one', done: 1 }])
  expect(orm.get(sql`select name from rows`)).toEqual({ name: 'one' })
})

test('a value that is left out is an error, not null', () => {
  using orm = open()
  const insert = orm
    .insert(rows)
    .values({ id: 1, name: sql.placeholder('name'), done: true })
    .prepare()
  expect(() => insert.run({})).toThrow('"name"')
})

test('a row within a row is refused when it is prepared', () => {
  using orm = open()
  expect(() => orm.select({ row: rows }).from(rows).prepare()).toThrow('a row within a row')
})
