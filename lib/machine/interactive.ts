/**
 * Whether a person sits before a client. `CLAUDE_CODE_ENTRYPOINT` tells it only if it is `cli`: a client in a terminal
 * keeps any other value that it inherits, as of an outer session, while one of `claude -p` turns `cli` into `sdk-cli`
 * (seen: 2.1.197, 2.1.332). Else the client itself is looked at: it is interactive when its output is a terminal and its
 * command line asks for no print mode. waiter.sh does the same.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs'

const PRINT = /^(-[a-z]*p[a-z]*|--print|--(input|output)-format(=.*)?)$/

/** Whether the client with this pid is interactive; `entrypoint` is how it says that it was started. */
export function isInteractive(pid: number, entrypoint: string | undefined): boolean {
  if (!entrypoint || entrypoint === 'cli') return true
  try {
    const [, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return hasTerminal(pid) && !args.some((arg) => PRINT.test(arg))
  } catch {
    // No such process, or no /proc: the word of the client is all there is.
    return false
  }
}

function hasTerminal(pid: number): boolean {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants
  const output = openSync(`/proc/${pid}/fd/1`, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  try {
    return process.getBuiltinModule('node:tty').isatty(output)
  } finally {
    closeSync(output)
  }
}
