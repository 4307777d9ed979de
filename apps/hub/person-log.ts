import { escapeControls } from '#frame/escape'
import { shortenPaths } from '#frame/home-path'

type Entry = { level: number; time: string; msg: string; err?: { message?: string } } & Record<
  string,
  unknown
>

const WARN = 40
/** What each line has, and what only a program reads. */
const UNSAID = new Set(['level', 'time', 'pid', 'msg', 'err', 'migration'])

/** A line of the log for the person at a terminal: the time, what happened, and its details in brackets. */
export function toPersonLine(json: string, home: string): string {
  const entry = JSON.parse(json) as Entry
  const clock = new Date(entry.time).toTimeString().slice(0, 8)
  const text = entry.msg === 'hub serves' ? toGreeting(entry) : toEvent(entry)
  return `${clock}  ${shortenPaths(escapeControls(text), home)}\n`
}

function toGreeting({ version, url, database }: Entry): string {
  return [
    `The hub ${String(version)} listens at ${String(url)}`,
    `Database: ${String(database)}`,
    'Press Ctrl+C to stop it. Sessions start another when they need one.',
  ].join('\n          ')
}

function toEvent(entry: Entry): string {
  const details = Object.entries(entry)
    .filter(([name]) => !UNSAID.has(name))
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const sign = entry.level >= WARN ? '! ' : ''
  const cause = entry.err?.message === undefined ? '' : `: ${entry.err.message}`
  return `${sign}${entry.msg}${cause}${details.length > 0 ? ` (${details.join(', ')})` : ''}`
}
