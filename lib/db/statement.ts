/**
 * What drizzle works out again at each run of a prepared statement, which value goes where and how a row becomes an object,
 * is worked out once here: of a short read it was half of the time.
 */
import type Sqlite from 'better-sqlite3'
import { Column, is, Param, Placeholder, SQL } from 'drizzle-orm'
import type { SelectedFieldsOrdered } from 'drizzle-orm/sqlite-core'

type Values = Record<string, unknown>
type Row = unknown[]

type StatementOptions = {
  /** What its rows have, if it gives any. */
  fields?: SelectedFieldsOrdered | undefined
  /** Called before each run. */
  before?: (() => void) | undefined
}

/** Wraps a statement that takes `params`. Throws when a value is left out. */
export function toStatement(
  statement: Sqlite.Statement,
  params: unknown[],
  { fields, before }: StatementOptions = {},
) {
  const fill = toFill(params, before)
  if (!fields) {
    return {
      run: (values: Values = {}) => statement.run(fill(values)),
      all: (values: Values = {}) => statement.all(fill(values)),
      get: (values: Values = {}) => statement.get(fill(values)),
    }
  }
  const raw = statement.raw() as Sqlite.Statement<[Row], Row>
  const map = toMap(fields)
  return {
    all: (values: Values = {}) => raw.all(fill(values)).map(map),
    get(values: Values = {}) {
      const row = raw.get(fill(values))
      return row && map(row)
    },
  }
}

function toFill(params: unknown[], before?: () => void): (values: Values) => Row {
  const fills = params.map((param) => {
    const placeholder = is(param, Param) ? param.value : param
    if (!is(placeholder, Placeholder)) return () => param
    const { name } = placeholder as Placeholder
    const read = (values: Values) => {
      if (!(name in values)) throw new Error(`no value for "${name}" was given`)
      return values[name]
    }
    if (!is(param, Param) || isPlain(param.encoder, 'mapToDriverValue')) return read
    return (values: Values) => param.encoder.mapToDriverValue(read(values))
  })
  return (values) => {
    before?.()
    return fills.map((fill) => fill(values))
  }
}

function toMap(fields: SelectedFieldsOrdered): (row: Row) => Values {
  const columns = fields.map(({ path, field }) => {
    const [key, ...rest] = path
    if (key === undefined || rest.length > 0) throw new Error(`${path.join('.')} is a row within a row`)
    return { key, decode: toDecode(field) }
  })
  return (row) => {
    const object: Values = {}
    for (let index = 0; index < columns.length; index++) {
      const { key, decode } = columns[index]!
      const value = row[index]
      object[key] = value === null || !decode ? value : decode(value)
    }
    return object
  }
}

type Decode = (value: unknown) => unknown

/** `undefined`: as it comes. */
function toDecode(field: SelectedFieldsOrdered[number]['field']): Decode | undefined {
  if (is(field, Column)) {
    return isPlain(field, 'mapFromDriverValue') ? undefined : (value) => field.mapFromDriverValue(value)
  }
  const expression = is(field, SQL.Aliased) ? field.sql : field
  // What `mapWith` sets, private to the types alone.
  const { decoder } = expression as unknown as { decoder: { mapFromDriverValue: Decode } }
  return (value) => decoder.mapFromDriverValue(value)
}

/** Whether a column's values are in SQLite what they are here. */
const isPlain = (encoder: object, way: 'mapFromDriverValue' | 'mapToDriverValue') =>
  (encoder as Column)[way] === Column.prototype[way]
