/**
 * `npm run bench` measures everything, `npm run bench -- hook` one part, and each part that was measured is written into
 * RESULTS.md; `--quick` only sees that it works. Ends non-zero when a target is missed, or a baseline cannot be had.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachine } from './machine.ts'
import { isQuick } from './options.ts'
import { withSection } from './results.ts'
import { allReached, toTable, type Row } from './table.ts'

type Section = { text: string; reached: boolean }

const toSection = (rows: Row[]): Section => ({ text: toTable(rows), reached: allReached(rows) })

/** What broke in one part is no reason to lose the others. */
function toFailure(cause: Error): Section {
  process.stderr.write(`${cause.stack}\n`)
  return { text: `Not measured: ${cause.message}`, reached: false }
}

/** Each is loaded when it is measured: what another part loads is no part of it. */
const parts: Record<string, () => Promise<Section>> = {
  hook: async () => toSection(await (await import('./hook.ts')).benchHook()),
  hub: async () => toSection(await (await import('./hub.ts')).benchHub()),
  durable: async () => toSection(await (await import('./durable.ts')).benchDurable()),
  statements: async () => toSection(await (await import('./statements.ts')).benchStatements()),
  peers: async () => toSection(await (await import('./peers.ts')).benchPeers()),
  lists: async () => toSection(await (await import('./lists.ts')).benchLists()),
  subscribers: async () => toSection(await (await import('./subscribers.ts')).benchSubscribers()),
  mcp: async () => toSection(await (await import('./mcp.ts')).benchMcp()),
  start: async () => toSection(await (await import('./start.ts')).benchStart()),
  idle: async () => toSection(await (await import('./idle.ts')).benchIdle()),
  wake: async () => toSection(await (await import('./wake.ts')).benchWake()),
  growth: async () => ({ text: await (await import('./growth.ts')).benchGrowth(), reached: true }),
}
const wanted = process.argv.slice(2).filter((word) => word !== '--quick')
const unknown = wanted.find((name) => !Object.hasOwn(parts, name))
if (unknown !== undefined)
  throw new Error(`There is no part "${unknown}": choose of ${Object.keys(parts).join(', ')}.`)

const file = join(import.meta.dirname, 'RESULTS.md')
const missed: string[] = []
for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  process.stderr.write(`measuring ${name} …\n`)
  const day = new Date().toISOString().slice(0, 10)
  const { text, reached } = await measure().catch(toFailure)
  if (!reached) missed.push(name)
  process.stdout.write(`## ${name}\n\n${text}\n\n`)
  if (isQuick) continue
  const section = { name, text: `${describeMachine()}; ${day}.\n\n${text}`, parts: Object.keys(parts) }
  writeFileSync(file, withSection(readFileSync(file, 'utf8'), section))
}
if (missed.length > 0) {
  process.stderr.write(`targets missed in: ${missed.join(', ')}\n`)
  process.exitCode = 1
}
