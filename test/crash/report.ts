import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CrashRun } from './setup.ts'

/** One line of the table: who was killed where, and what an onlooker found after everything ran again. */
export type Row = {
  section: 'step' | 'random' | 'power'
  killed: string
  at: string
  /** Its place among the lines of the same process. */
  order: number
  /** How often it was killed or cut there. */
  times: number
  answered: number
  lost: number
  unmarked: number
  /** What the onlooker saw besides. */
  outcome: string
}

/** Keeps a line for the end of the run. */
export function report({ directory }: CrashRun, row: Row): void {
  const name = `${row.section}-${row.killed}-${row.at.slice(0, 80)}`.replaceAll(/\W+/g, '-')
  writeFileSync(join(directory, `${name}.row.json`), JSON.stringify(row))
}

/** The plain end of a run: how many kills and cuts, and what they cost. */
export function summarize(run: CrashRun): string {
  const rows = readRows(run)
  const of = (section: Row['section']) => rows.filter((row) => row.section === section)
  const sum = (of: Row[], key: 'times' | 'answered' | 'lost' | 'unmarked') =>
    of.reduce((total, row) => total + row[key], 0)
  return `
seed                     ${run.seed}
named steps              ${of('step').length}
random kills             ${sum(of('random'), 'times')}
power cuts               ${sum(of('power'), 'times')}
acknowledged and lost    ${sum(rows, 'lost')}
in a context twice, unmarked ${sum(rows, 'unmarked')}
`
}

const DOCUMENT = join(import.meta.dirname, '../../docs/guarantees.md')
const BEGIN = '<!-- written by CLAUDE_PEERS_CRASH_WRITE=1 npm run test:crash -->\n'
const END = '<!-- end of what the run wrote -->'

/** Writes the tables of the run between the marks in docs/guarantees.md. */
export function writeGuarantees(run: CrashRun): void {
  const text = readFileSync(DOCUMENT, 'utf8')
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (before < 0 || after < 0) throw new Error(`${DOCUMENT} has no place for the tables`)
  writeFileSync(DOCUMENT, text.slice(0, before) + BEGIN + toTables(run) + text.slice(after))
}

function toTables(run: CrashRun): string {
  const rows = readRows(run)
  const table = (section: Row['section'], first: string) => {
    const lines = rows
      .filter((row) => row.section === section)
      .map(
        (row) =>
          `| ${row.killed} | ${row.at} | ${row.times} | ${row.answered} | ${row.lost} | ${row.unmarked} | ${row.outcome} |`,
      )
    return `| ${first} | at | times | acknowledged | lost | twice unmarked | then |\n|---|---|--:|--:|--:|--:|---|\n${lines.join('\n')}\n`
  }
  return `
Seed ${run.seed}.

### Killed at a named step

${table('step', 'killed')}
### Killed at random, under load

${table('random', 'killed')}
### Power cut

${table('power', 'file')}
`
}

function readRows({ directory }: CrashRun): Row[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.row.json'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as Row)
    .toSorted((one, other) => one.killed.localeCompare(other.killed) || one.order - other.order)
}
