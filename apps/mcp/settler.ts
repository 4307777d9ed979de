/**
 * What a server leaves behind that ends before its client, with mail that is not known to be read: a process that waits
 * for the client's last lines. The client writes them late, and kills its servers half a second after it has asked them
 * to end. The next server of the machine does the same where this process could not.
 */
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { readCard, type Card } from '#machine/cards'
import { bundlePath } from '#machine/package'
import { isKnownToHaveEnded, isSameProcess } from '#machine/processes'
import { settleCard } from './ended.ts'

/** What the server gives this program as its first argument; the second is the pid of the Claude process. */
export const SETTLE = 'settle'

/** An asynchronous hook holds a client's end for 30 s. */
const PATIENCE_MS = 60_000
const CHECK_MS = 100

/** Starts the process for a session; it outlives the caller. */
export function startSettler({ claude }: Card): void {
  const child = spawn(process.execPath, [bundlePath('mcp.js'), SETTLE, String(claude.pid)], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
  })
  child.on('error', () => undefined)
  child.unref()
}

/** Waits until the client has ended, for a minute at most, and settles its mail, unless somebody else does. */
export async function settleWhenEnded(sessions: string, pid: number): Promise<void> {
  const card = readCard(sessions, pid)
  if (!card) return
  for (const deadline = Date.now() + PATIENCE_MS; isSameProcess(pid, card.claude.start);) {
    await pause(CHECK_MS)
    const isOurs = readCard(sessions, pid)?.mcp.pid === card.mcp.pid
    if (!isOurs || Date.now() > deadline) return
  }
  const { hub, hubUrl: url, token } = card
  if (hub && isKnownToHaveEnded(hub)) return
  await settleCard(sessions, card, { url, token })
}
