import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { parseJson, readIfThere, writePrivate } from './files.ts'

type Moved = { database: string; movedTo: string }

/** Keeps where a database was found that was moved away under its hub. */
export function noteMovedDatabase({ paths, database }: Config, movedTo: string): void {
  writePrivate(noteOf(paths.dir), JSON.stringify({ database, movedTo } satisfies Moved))
}

/** What to do about a configured database that was moved away under its hub, as long as the moved file is there. */
export function explainMovedDatabase({ paths, database }: Config): string | undefined {
  const note = parseJson(readIfThere(noteOf(paths.dir))) as Partial<Moved> | undefined
  if (note?.database !== database || typeof note.movedTo !== 'string' || !existsSync(note.movedTo))
    return undefined
  return `The database ${database} was moved to ${note.movedTo} while its hub ran; the mail until then is there. Run "claude-peers stop" and move it back, or delete it.`
}

const noteOf = (directory: string) => join(directory, 'database-moved.json')
