import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { array, boolean, constantFrom, oneof, record } from 'fast-check'
import { expect } from 'vitest'
import { openSpool } from '../../lib/machine/spool.ts'
import { makeDirectory } from '../db/harness.ts'
import { fuzz } from './bound.ts'
import { entry } from './samples.ts'
import { anyBytes, anyText, mutated } from './values.ts'

const contents = anyBytes(
  oneof(
    mutated({ ...entry, reason: 'no such peer', refusedAt: 1 }).map((value) => JSON.stringify(value)),
    anyText,
  ),
)
const names = constantFrom(
  '000000000000001-00000000000000aa.json',
  '999999999999999-00000000000000bb.json',
  '1.json.tmp',
)

fuzz(
  'whatever lies in the spool, what is kept beside it is listed, and its order goes on',
  array(record({ name: names, content: contents, isDirectory: boolean(), isRefused: boolean() }), {
    maxLength: 4,
  }),
  (files) => {
    using directory = makeDirectory()
    const own = join(directory.path, 'spool')
    for (const { name, content, isDirectory, isRefused } of files) {
      const folder = isRefused ? join(own, 'refused') : own
      mkdirSync(folder, { recursive: true })
      try {
        if (isDirectory) mkdirSync(join(folder, name))
        else writeFileSync(join(folder, name), content)
      } catch (cause) {
        // Two of one name.
        expect((cause as NodeJS.ErrnoException).code).toMatch(/EEXIST|EISDIR/)
      }
    }
    const spool = openSpool(own)
    const kept = [1, 2].map((number) =>
      spool.add({
        ...entry,
        input: { ...entry.input, message: `kept ${number}`, idempotencyKey: `key-of-${number}` },
      }),
    )
    const listed = spool.list().map(({ name }) => name)
    expect(listed.filter((name) => kept.some((one) => one.name === name))).toEqual(
      kept.map(({ name }) => name),
    )
    spool.refuse(kept[0]!, 'no such peer')
    expect(spool.refused().map(({ input }) => input.message)).toContain('kept 1')
    spool.remove(kept[1]!.name)
    expect(spool.list().some(({ name }) => name === kept[1]!.name)).toBe(false)
  },
)
