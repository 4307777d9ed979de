import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const SOURCES = ['shim.c', 'rule.c', 'record.c'].map((name) => join(import.meta.dirname, 'shim', name))

/** Compiles the shim into a directory and returns its path. Throws when there is no compiler or this is not Linux. */
export function buildShim(directory: string): string {
  if (process.platform !== 'linux')
    throw new Error('The crash tests need Linux: they load a shim before libc.')
  if (spawnSync('cc', ['--version']).error) {
    throw new Error('The crash tests need a C compiler, and there is no cc: apt-get install gcc libc6-dev')
  }
  const target = join(directory, 'shim.so')
  const flags = ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread']
  execFileSync('cc', [...flags, '-o', target, ...SOURCES, '-ldl'], { stdio: 'inherit' })
  return target
}

export type ShimOptions = {
  /** A part of the command line of the one program that it works in. */
  program: 'hub.js' | 'mcp.js' | 'settle' | 'hook.cjs' | 'waiter.sh'
  /** Where it is killed, in the language of shim/rule.c. */
  rule?: string | undefined
  /** The file that tells afterwards where that was. */
  note?: string | undefined
  clock?: Clock | undefined
  /** Writes down every change below `directory`, which ends with a slash, into the file `log`. */
  record?: { directory: string; log: string } | undefined
}

/** The environment that loads the shim into a program and what that starts. */
export function loadShim(
  shim: string,
  { program, rule, note, clock, record }: ShimOptions,
): Record<string, string> {
  return {
    LD_PRELOAD: shim,
    SHIM_PROGRAM: program,
    // What libuv would do past libc, the shim would not see.
    UV_USE_IO_URING: '0',
    ...(rule !== undefined && { SHIM_RULE: rule }),
    ...(note !== undefined && { SHIM_NOTE: note }),
    ...(clock && { SHIM_CLOCK: clock.path }),
    ...(record && { SHIM_DIRECTORY: record.directory, SHIM_LOG: record.log }),
  }
}

/** The call at which the shim killed a process, such as `after sync /home/a/peers.db-wal`; `undefined` if it did not. */
export function readNote(note: string): string | undefined {
  try {
    return readFileSync(note, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** A wall clock that runs ahead of the machine's in every process that was given it. */
export type Clock = { path: string; advance(ms: number): void }

/** Makes a clock in a directory; it can be set ahead while its processes run. */
export function createClock(directory: string): Clock {
  const path = join(directory, 'clock')
  let ahead = 0
  writeFileSync(path, Buffer.alloc(8))
  return {
    path,
    advance(ms) {
      ahead += ms
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(ahead))
      // In place: a running process has this page mapped.
      const fd = openSync(path, 'r+')
      writeSync(fd, bytes, 0, bytes.length, 0)
      closeSync(fd)
    },
  }
}
