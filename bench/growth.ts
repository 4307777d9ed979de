/** How the hub's cost grows: curves by clients, stored messages, peers and subscribers, each drawn from its own run. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toSvg, type Chart } from './chart.ts'
import { growByClients, growByMessages, growByPeers } from './growth/load.ts'
import { growBySubscribers } from './growth/memory.ts'
import type { Curve } from './growth/curve.ts'
import { isQuick } from './options.ts'
import { figure } from './table.ts'

const curves: Record<string, () => Promise<Curve>> = {
  clients: growByClients,
  messages: growByMessages,
  peers: growByPeers,
  subscribers: growBySubscribers,
}

/** Measures every curve, draws it into this directory unless this is a quick look, and gives their figures as Markdown. */
export async function benchGrowth(): Promise<string> {
  const sections: string[] = []
  for (const [name, measure] of Object.entries(curves)) {
    process.stderr.write(`  by ${name} …\n`)
    const curve = await measure()
    const file = `growth-${name}.svg`
    if (!isQuick) writeFileSync(join(import.meta.dirname, file), toSvg(toChart(curve)))
    sections.push(`### ${curve.title}\n\n![${curve.title}](${file})\n\n${toFigures(curve)}`)
  }
  return sections.join('\n\n')
}

const toChart = ({ title, xLabel, panels, points }: Curve): Chart => ({
  title,
  xLabel,
  isLogarithmic: true,
  panels: panels.map(({ title, columns }) => ({
    title,
    series: columns.map((name) => ({
      name,
      points: points.map(({ x, figures }): [number, number] => [x, figures[name]!]),
    })),
  })),
})

function toFigures({ xLabel, panels, points }: Curve): string {
  const columns = panels.flatMap(({ title, columns }) => columns.map((name) => ({ name, title })))
  const head = `| ${[xLabel, ...columns.map(({ name, title }) => (name === title ? name : `${name}, ${title}`))].join(' | ')} |`
  const rows = points.map(
    ({ x, figures }) =>
      `| ${[x.toLocaleString('en'), ...columns.map(({ name }) => figure(figures[name]!))].join(' | ')} |`,
  )
  return [head, `|${'---|'.repeat(columns.length + 1)}`, ...rows].join('\n')
}
