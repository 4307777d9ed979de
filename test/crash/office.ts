import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { inject } from 'vitest'
import { writeCard } from '../../lib/machine/cards.ts'
import { bundlePath } from '../../lib/machine/package.ts'
import { ownIdentity } from '../../lib/machine/processes.ts'
import { isAlive } from '../e2e/claude/processes.ts'
import { createHome, type Home } from '../harness/home.ts'
import { spawnHub, takeSeat, type Headers, type Seat } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'
import { toContext } from '../harness/session.ts'
import { createClock, loadShim, readNote, type Clock, type ShimOptions } from './shim.ts'

export type HubOptions = { rule?: string | undefined; args?: string[]; script?: string }

/** One hub process that may be killed at any call. */
export type Victim = {
  pid: number
  exited: Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): void
  stderr(): string
  /** The call at which the shim killed it. */
  killedAt(): string | undefined
}

export type HookEnd = {
  stdout: string
  signal: NodeJS.Signals | null
  killedAt: string | undefined
  context: string
}

/** A person's home on a port that stays the same over every restart of the hub, with a clock of its own. */
export type Office = AsyncDisposable & {
  home: Home
  clock: Clock
  url: string
  database: string
  /** The environment that loads the shim, and a note of its own. */
  shim(options: Omit<ShimOptions, 'note' | 'clock'>): { env: Record<string, string>; note: string }
  spawnHub(options?: HubOptions): Victim
  /** Starts a hub and waits until it serves, or ends. Resolves to whether it serves. */
  serve(options?: HubOptions): Promise<Victim & { serves: boolean }>
  isServing(pid: number): Promise<boolean>
  headers(): Promise<Headers>
  takeSeat(name: string, extra?: object): Promise<Seat>
  /** Gives the hooks of a seat a home with their card, so that one process can stand for many clients. */
  seatHooks(seat: Seat): Promise<(rule?: string) => Promise<HookEnd>>
  /** What SQLite and our own keys say of a copy of the database; the hub must not run. */
  inspect(): string
}

export async function openOffice(): Promise<Office> {
  const { shim, directory } = inject('crash')
  const home = await createHome({ install: true })
  const port = home.env['CLAUDE_PEERS_PORT']
  const database = join(home.path, '.claude-peers.db')
  const clock = createClock(home.path)
  const url = `http://127.0.0.1:${port}`
  let notes = 0

  const load: Office['shim'] = (options) => {
    const note = join(home.path, `note-${++notes}`)
    return { env: loadShim(shim, { ...options, note, clock }), note }
  }
  const headers = async () => ({ authorization: `Bearer ${await home.token()}` })
  const isServing = async (pid: number) => {
    const left = await home.rendezvous().catch(() => undefined)
    return left?.pid === pid
  }
  const start: Office['spawnHub'] = ({ rule, args = [], script } = {}) => {
    const { env, note } = load({ program: 'hub.js', rule })
    return { ...spawnHub(home, { env, args, script }), killedAt: () => readNote(note) }
  }
  return {
    home,
    clock,
    url,
    database,
    shim: load,
    headers,
    isServing,
    spawnHub: start,
    async serve(options) {
      const hub = start(options)
      const serves = await waitFor(
        async () => ((await isServing(hub.pid)) ? 'yes' : !isAlive(hub.pid) && 'no'),
        'the hub to serve or end',
        60_000,
      )
      return { ...hub, serves: serves === 'yes' }
    },
    takeSeat: async (name, extra) => takeSeat({ url, headers: await headers() }, name, extra),
    async seatHooks({ id, name, key }) {
      const place = mkdtempSync(join(home.path, 'hooks-'))
      const claude = ownIdentity()
      const card = { hubUrl: url, token: await home.token(), peerId: id, name, key }
      const told = { toolPrefix: 'mcp__claude-peers__', claude, mcp: claude, sessionIds: ['crash'] }
      writeCard(join(place, '.claude-peers/sessions'), { ...card, ...told })
      return (rule) => {
        const { env, note } = load({ program: 'hook.cjs', rule })
        return runHook({ ...home.env, ...env, HOME: place }, note)
      }
    },
    inspect() {
      const copies = mkdtempSync(join(directory, 'copy-'))
      try {
        return inspectCopy(database, join(copies, 'peers.db'))
      } finally {
        rmSync(copies, { recursive: true })
      }
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  }
}

/** The client takes the output of a hook that ended; of one that was killed it may take what is whole. */
async function runHook(env: Record<string, string>, note: string): Promise<HookEnd> {
  const session_id = 'crash'
  const child = spawn(process.execPath, [bundlePath('hook.cjs'), String(process.pid)], {
    env: { ...env, CLAUDE_CODE_SESSION_ID: session_id },
    stdio: 'pipe',
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(JSON.stringify({ session_id, hook_event_name: 'UserPromptSubmit' }))
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { stdout, signal, killedAt: readNote(note), context: toWholeContext(stdout) }
}

function toWholeContext(stdout: string): string {
  try {
    return toContext({ stdout, stderr: '', code: 0 })
  } catch {
    return ''
  }
}

/** The hub itself is to find what the kill has left, not what a look at it has mended. */
function inspectCopy(database: string, copy: string): string {
  for (const suffix of ['', '-wal', '-journal']) {
    if (existsSync(database + suffix)) copyFileSync(database + suffix, copy + suffix)
  }
  const sqlite = new Sqlite(copy)
  try {
    const integrity = String(sqlite.pragma('integrity_check', { simple: true }))
    const orphans = (sqlite.pragma('foreign_key_check') as unknown[]).length
    return orphans === 0 ? integrity : `${orphans} rows without their parent`
  } finally {
    sqlite.close()
  }
}
