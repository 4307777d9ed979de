import { chmodSync, mkdirSync } from 'node:fs'
import { join, sep } from 'node:path'

/** Where everything of one user on one machine lives. */
export type Paths = ReturnType<typeof toPaths>

/** The paths below a home directory; nothing is created. */
export function toPaths(home: string = findHome()) {
  const dir = join(home, '.claude-peers')
  // Not by `join`: the twelve calls were a millisecond of each hook.
  const at = (name: string) => dir + sep + name
  return {
    home,
    dir,
    config: `${dir}.json`,
    machineId: `${dir}.machine-id`,
    database: `${dir}.db`,
    token: at('token'),
    /** Written by the running hub: where it listens, its pid and version. */
    rendezvous: at('hub.json'),
    log: at('hub.log'),
    /** The card of the human, who sends from the command line. */
    user: at('user.json'),
    sessions: at('sessions'),
    /** Where backups go when nobody says otherwise. */
    backups: at('backups'),
    /** Messages for a remote hub that does not answer. */
    spool: at('spool'),
  }
}

/** As `os.homedir()`, which a hook would have to load, but never empty: with `HOME=` that answers `''`. */
function findHome(): string {
  return process.env['HOME'] || process.getBuiltinModule('node:os').userInfo().homedir
}

/** Makes a directory that only its owner can enter, also when it was there with other rights. */
export function makePrivateDir(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  chmodSync(path, 0o700)
}
