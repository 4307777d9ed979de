import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** Reads a file, or `undefined` when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}

/** Writes a file that only its owner can read, so that a reader sees the old content or the new, never a part. */
export function writePrivate(path: string, content: string): void {
  writeBeside(path, content, (temporary) => renameSync(temporary, path))
}

/** The same for a file that is made once: of racing processes the first wins, because a link is made whole or not at all. */
export function createPrivate(path: string, content: string): void {
  writeBeside(path, content, (temporary) => {
    try {
      linkSync(temporary, path)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    }
  })
}

function writeBeside(path: string, content: string, put: (temporary: string) => void): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, content, { mode: 0o600 })
    put(temporary)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Parses JSON, or `undefined` when it is none: for files of our own that a crash or a hand may have spoilt. */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
