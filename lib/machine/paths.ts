import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where everything of one user on one machine lives. */
export type Paths = ReturnType<typeof toPaths>

/** The paths below a home directory; nothing is created. */
export function toPaths(home: string = findHome()) {
  const dir = join(home, '.claude-peers')
  return {
    home,
    dir,
    config: join(home, '.claude-peers.json'),
    machineId: join(home, '.claude-peers.machine-id'),
    database: join(home, '.claude-peers.db'),
    token: join(dir, 'token'),
    /** Written by the running hub: where it listens, its pid and version. */
    rendezvous: join(dir, 'hub.json'),
    log: join(dir, 'hub.log'),
    /** The card of the human, who sends from the command line. */
    user: join(dir, 'user.json'),
    sessions: join(dir, 'sessions'),
    /** Where backups go when nobody says otherwise. */
    backups: join(dir, 'backups'),
    /** Messages for a remote hub that does not answer. */
    spool: join(dir, 'spool'),
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
