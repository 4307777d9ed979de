/**
 * A hub under a steady load for long: `npm run soak` sends 200 messages a second for an hour and writes SOAK.md;
 * `npm run soak -- --minutes 1 --rate 50` something else, and writes nothing then. Ends non-zero when something grows.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { toSvg } from './chart.ts'
import { startBenchHub } from './hub-process.ts'
import { describeMachine } from './machine.ts'
import { runSoak } from './soak/run.ts'
import { isSteady, toPanels, toReport } from './soak/report.ts'

const MINUTES = 60
const RATE = 200

const { values } = parseArgs({ options: { minutes: { type: 'string' }, rate: { type: 'string' } } })
const minutes = Number(values.minutes ?? MINUTES)
const rate = Number(values.rate ?? RATE)
if (!(minutes > 0 && rate > 0)) throw new Error('--minutes and --rate are numbers above 0')

await using hub = await startBenchHub()
// Sixty samples of whatever length, so that a short soak tells as much of its course as a long one.
const soak = await runSoak(hub, { rate, seconds: minutes * 60, sampleSeconds: minutes })
const report = toReport(soak, { minutes, rate })
process.stdout.write(`${report}\n`)
if (minutes >= MINUTES && rate >= RATE) {
  const head = `# Soak\n\n${describeMachine()}; made by \`npm run soak\`.\n\n![Soak](soak.svg)\n\n`
  writeFileSync(join(import.meta.dirname, 'SOAK.md'), `${head}${report}\n`)
  const chart = { title: `${rate} messages a second`, xLabel: 'minutes', panels: toPanels(soak.samples) }
  writeFileSync(join(import.meta.dirname, 'soak.svg'), toSvg(chart))
}
process.exitCode = isSteady(soak) ? 0 : 1
