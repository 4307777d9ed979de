import { basename, dirname } from 'node:path'
import { pino, type Logger } from 'pino'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import { toPaths } from '#machine/paths'
import { toPersonLine } from './person-log.ts'

export type Log = Logger

/**
 * Opens the log: JSON lines, owner-only, rotated at 5 MB with three old files kept. `toTerminal` writes them to
 * standard error as well, for a hub in the foreground; in a terminal, in words for a person. `close` resolves when everything is written.
 */
export function openLog(
  file: string,
  { toTerminal }: { toTerminal: boolean },
): { log: Log; close: () => Promise<void> } {
  const stream = createStream(basename(file), {
    path: dirname(file),
    size: '5M',
    maxFiles: 3,
    mode: 0o600,
  })
  // A log that cannot be written must not take the mail down with it.
  stream.on('error', (cause) =>
    process.stderr.write(`claude-peers hub: cannot write ${file}: ${cause.message}\n`),
  )
  const write = (line: string) => {
    stream.write(line)
    if (toTerminal) process.stderr.write(process.stderr.isTTY ? toPersonLine(line, toPaths().home) : line)
  }
  const log = pino({ base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, { write })
  return { log, close: () => end(stream) }
}

function end(stream: RotatingFileStream): Promise<void> {
  return new Promise((resolve) => stream.end(() => resolve()))
}
