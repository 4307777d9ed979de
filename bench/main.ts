/** `npm run bench` measures everything; `npm run bench -- hook` one part. Ends non-zero when a target is missed. */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { VERSION } from '../lib/machine/package.ts'
import { benchHook } from './hook.ts'
import { benchHub } from './hub.ts'
import { allReached, toTable, type Row } from './table.ts'
import { benchWake } from './wake.ts'

const parts: Record<string, () => Promise<Row[]>> = { hook: benchHook, hub: benchHub, wake: benchWake }
const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !Object.hasOwn(parts, name))
if (unknown !== undefined)
  throw new Error(`There is no part "${unknown}": choose of ${Object.keys(parts).join(', ')}.`)

const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${process.platform}, Node ${process.version}, claude-peers ${VERSION}`
const sections: string[] = []
let reached = true
for (const [name, bench] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  process.stderr.write(`measuring ${name} …\n`)
  const rows = await bench()
  reached &&= allReached(rows)
  sections.push(`## ${name}\n\n${toTable(rows)}\n`)
  process.stdout.write(`${sections.at(-1)!}\n`)
}
if (wanted.length === 0) {
  const head = `# Results\n\n${machine}. Medians with quartiles, interleaved in one run; made by \`npm run bench\`.\n\n`
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), head + sections.join('\n'))
}
process.exitCode = reached ? 0 : 1
