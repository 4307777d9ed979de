import { cpus, release, totalmem } from 'node:os'
import Sqlite from 'better-sqlite3'
import { VERSION } from '../lib/machine/package.ts'

/** The machine and the versions that figures belong to, in one line. */
export function describeMachine(): string {
  const processor = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`
  const sqlite = new Sqlite(':memory:')
  const version = sqlite.prepare('select sqlite_version()').pluck().get() as string
  sqlite.close()
  return `${processor}, ${memory}, ${process.platform} ${release()}, Node ${process.version}, SQLite ${version}, claude-peers ${VERSION}`
}
