import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { array, constantFrom, oneof, record } from 'fast-check'
import { expect } from 'vitest'
import { readCard, sweepCards } from '../../lib/machine/cards.ts'
import { makeDirectory } from '../db/harness.ts'
import { fuzz } from './bound.ts'
import { card } from './samples.ts'
import { anyBytes, anyText, mutated } from './values.ts'
import { toLabel } from '../../lib/machine/processes.ts'

const contents = anyBytes(
  oneof(
    mutated(card).map((value) => JSON.stringify(value)),
    anyText,
  ),
)
const names = constantFrom('json', 'mail', 'busy', 'waiter', 'bell', 'json.4.tmp', 'json.x')

fuzz(
  'whatever lies in the directory of the cards, a card is read or is none, and the sweep goes on',
  array(record({ name: names, content: contents, isDirectory: constantFrom(false, false, true) }), {
    maxLength: 4,
  }),
  async (files) => {
    using directory = makeDirectory()
    const { pid } = process
    for (const { name, content, isDirectory } of files) {
      const path = join(directory.path, `${toLabel(pid)}.${name}`)
      try {
        if (isDirectory) mkdirSync(path)
        else writeFileSync(path, content)
      } catch (cause) {
        // Two of one name.
        expect((cause as NodeJS.ErrnoException).code).toMatch(/EEXIST|EISDIR/)
      }
    }
    const found = readCard(directory.path, pid)
    if (found) {
      expect([found.claude.pid, found.mcp.pid].every((one) => Number.isSafeInteger(one))).toBe(true)
      expect(found.sessionIds.every((id) => typeof id === 'string')).toBe(true)
    }
    await sweepCards(directory.path)
  },
)
