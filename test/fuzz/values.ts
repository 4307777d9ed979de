import {
  array,
  constantFrom,
  jsonValue,
  nat,
  oneof,
  string,
  toStringMethod,
  tuple,
  uint8Array,
  type Arbitrary,
} from 'fast-check'

/** Texts that programs stumble over. */
const ODD_TEXTS = [
  '',
  ' ',
  '\0',
  '\u{d800}',
  '\u{202e}',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  "'; drop table peers; --",
  '%s%n',
  '\r\nX-Injected: 1',
  'all',
  '@',
  'x'.repeat(70_000),
]
const ODD_NUMBERS = [0, -0, -1, 0.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, 5e-324]

export const anyText: Arbitrary<string> = oneof(
  constantFrom(...ODD_TEXTS),
  string({ unit: 'binary' }),
  string({ unit: 'grapheme' }),
)

/** Any value that JSON can say. */
export const anyJson: Arbitrary<unknown> = oneof(
  { arbitrary: anyText, weight: 3 },
  constantFrom(...ODD_NUMBERS),
  constantFrom(null, true, false, [], {}, toDeep(500)),
  jsonValue(),
)

/** Bytes of a file or a stream: text of some kind, the beginning of one, or noise. */
export function anyBytes(text: Arbitrary<string>): Arbitrary<Buffer> {
  const whole = text.map((one) => Buffer.from(one))
  const cut = tuple(whole, nat()).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1)))
  const noise = uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
  const spoiled = tuple(whole, nat(), noise).map(([bytes, at, more]) => {
    const place = at % (bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, place), more.subarray(0, 3), bytes.subarray(place)])
  })
  return oneof({ arbitrary: whole, weight: 4 }, cut, spoiled, noise).map((bytes) =>
    // As a report is to show them.
    Object.assign(bytes, {
      [toStringMethod]: () => `Buffer.from(${JSON.stringify(bytes.toString('latin1'))}, 'latin1')`,
    }),
  )
}

type Change = { at: number; how: 'replace' | 'remove' | 'add'; value: unknown; name: string }
type Place = { holder: Record<string, unknown>; key: string }

/** A sample with some of its parts replaced, removed or added to; sometimes as it is. */
export function mutated(sample: unknown): Arbitrary<unknown> {
  const change: Arbitrary<Change> = tuple(
    nat(),
    constantFrom('replace' as const, 'replace' as const, 'remove' as const, 'add' as const),
    anyJson,
    anyText,
  ).map(([at, how, value, name]) => ({ at, how, value, name }))
  return array(change, { maxLength: 3 }).map((changes) => {
    const root = { value: structuredClone(sample) }
    for (const one of changes) apply(root, one)
    return root.value
  })
}

function apply(root: Record<string, unknown>, { at, how, value: given, name }: Change) {
  const places = placesIn(root)
  const { holder, key } = places[at % places.length]!
  const found = holder[key]
  const value = structuredClone(given)
  if (how === 'remove' && holder !== root) delete holder[key]
  else if (how === 'add' && isHolder(found))
    Object.defineProperty(found, name, { value, enumerable: true, writable: true, configurable: true })
  else holder[key] = value
}

function placesIn(holder: Record<string, unknown>): Place[] {
  return Object.keys(holder).flatMap((key) => {
    const value = holder[key]
    return [{ holder, key }, ...(isHolder(value) ? placesIn(value) : [])]
  })
}

const isHolder = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

function toDeep(levels: number): unknown {
  let value: unknown = null
  for (let level = 0; level < levels; level++) value = [value]
  return value
}
