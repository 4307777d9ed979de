/** Curves as an SVG: panels one above the other that share the horizontal axis, light and dark alike. */
export type Series = { name: string; points: [x: number, y: number][] }
export type Panel = { title: string; series: Series[] }
export type Chart = { title: string; xLabel: string; isLogarithmic?: boolean; panels: Panel[] }

const WIDTH = 640
const [LEFT, RIGHT, TOP] = [64, 120, 34]
const [PANEL, GAP] = [150, 46]
const COLORS = ['#3b82f6', '#f97316', '#10b981', '#a855f7']

/** Draws a chart. Every panel begins at zero and ends at a round number. */
export function toSvg({ title, xLabel, isLogarithmic = false, panels }: Chart): string {
  const height = TOP + panels.length * (PANEL + GAP) + 20
  const xs = [
    ...new Set(panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(([x]) => x)))),
  ]
  const scale = (x: number) => (isLogarithmic ? Math.log(x) : x)
  const [from, to] = [scale(Math.min(...xs)), scale(Math.max(...xs))]
  const toX = (x: number) => LEFT + ((scale(x) - from) / (to - from || 1)) * (WIDTH - LEFT - RIGHT)
  const ticks = isLogarithmic ? xs : toTicks(Math.max(...xs))
  const drawn = panels.map((panel, number) =>
    drawPanel(panel, { top: TOP + number * (PANEL + GAP) + 18, toX, ticks }),
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11" fill="#808080">`,
    text(WIDTH / 2, 18, title, 'text-anchor="middle" font-size="14"'),
    ...drawn.flat(),
    text((LEFT + WIDTH - RIGHT) / 2, height - 6, xLabel, 'text-anchor="middle"'),
    '</svg>\n',
  ].join('\n')
}

function drawPanel(
  { title, series }: Panel,
  { top, toX, ticks }: { top: number; toX: (x: number) => number; ticks: number[] },
): string[] {
  const yTicks = toTicks(Math.max(...series.flatMap(({ points }) => points.map(([, y]) => y))))
  const highest = yTicks.at(-1)!
  const toY = (y: number) => top + PANEL - (y / highest) * PANEL
  return [
    text(LEFT, top - 6, title, ''),
    ...yTicks.flatMap((y) => [
      `<path d="M${LEFT} ${at(toY(y))}H${WIDTH - RIGHT}" stroke="#80808040"/>`,
      text(LEFT - 6, toY(y) + 4, toLabel(y), 'text-anchor="end"'),
    ]),
    ...ticks.map((x) => text(toX(x), top + PANEL + 14, toLabel(x), 'text-anchor="middle"')),
    ...series.flatMap(({ name, points }, number) => {
      const color = COLORS[number % COLORS.length]!
      const line = points.map(([x, y]) => `${at(toX(x))},${at(toY(y))}`).join(' ')
      return [
        `<polyline points="${line}" fill="none" stroke="${color}" stroke-width="2"/>`,
        text(WIDTH - RIGHT + 8, top + 12 + number * 16, name, `fill="${color}"`),
      ]
    }),
  ]
}

/** From zero to at least `highest`, in steps of 1, 2 or 5 times a power of ten. */
export function toTicks(highest: number): number[] {
  const rough = (highest || 1) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999)!
  const count = Math.max(1, Math.ceil((highest || 1) / step - 1e-9))
  return Array.from({ length: count + 1 }, (_, number) => Number((number * step).toPrecision(12)))
}

const at = (position: number) => position.toFixed(1)
const toLabel = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 4 })
const escape = (words: string) => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const text = (x: number, y: number, words: string, attributes: string) =>
  `<text x="${at(x)}" y="${at(y)}" ${attributes}>${escape(words)}</text>`
