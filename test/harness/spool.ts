import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownIdentity } from '../../lib/machine/processes.ts'
import { openSpool, type Entry, type Sender, type Spool } from '../../lib/machine/spool.ts'

/** A spool in a directory of its own, with a clock that the test moves. */
export function createSpool(): Disposable & { spool: Spool; path: string; time: { now: number } } {
  const path = join(mkdtempSync(join(tmpdir(), 'claude-peers-spool-')), '.claude-peers/spool')
  const time = { now: Date.parse('2026-11-22T12:00:00Z') }
  return {
    spool: openSpool(path, { now: () => time.now }),
    path,
    time,
    [Symbol.dispose]: () => rmSync(join(path, '../..'), { recursive: true }),
  }
}

export const HUB = 'http://studio:7899'

/** A session of the machine `machine-of-tests`, in the directory `/src/<name>`. */
export const toSender = (name: string, extra: Partial<Sender> = {}): Sender => ({
  registration: {
    machine: { id: 'machine-of-tests', host: 'laptop' },
    kind: 'session',
    directory: `/src/${name}`,
    root: `/src/${name}`,
    isRepo: true,
    summary: '',
  },
  ...extra,
})

/** A message that this process keeps. */
export function toEntry(
  message: string,
  { to = 'api', ...rest }: { to?: string } & Partial<Omit<Entry, 'at' | 'input'>> = {},
): Omit<Entry, 'at'> {
  return {
    hub: HUB,
    sender: toSender('web', { peerId: 'p_web' }),
    input: { to, message, urgency: 'normal', idempotencyKey: randomUUID() },
    by: ownIdentity(),
    ...rest,
  }
}

/** A process that is gone. */
export const GONE = { ...ownIdentity(), pid: 2 ** 22 - 1, start: 'long-ago' }
