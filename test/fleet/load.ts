/** Sessions of two machines that write to each other all the time, and an onlooker who keeps the books. */
import { setTimeout as pause } from 'node:timers/promises'
import { createLedger, toText, type Ledger } from '../crash/ledger.ts'
import type { Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

/** A pair may exchange 60 messages a minute: these are 40, also when a minute of them arrives at once. */
const SEND_EVERY_MS = 1_500
/** How often a session looks whether its mail flag is up, as with a tool call. */
const READ_EVERY_MS = 1_000

/** The sessions of one machine, by name. */
export type Office = Record<string, Session>

export type Load = {
  ledger: Ledger
  /** The longest answer of a tool, in ms. */
  slowest(): number
  /** What was not taken to be sent; it was tried again. */
  refusals: Set<string>
  /** How many messages were kept on the sender's machine at first. */
  spooled(): number
  /** Ends the senders, and resolves once everything that was answered was read; ends the readers. */
  settle(timeoutMs: number): Promise<void>
  /** Ends all at once. */
  stop(): Promise<void>
}

/** Starts to send from each session of one machine to each of the other, both ways, and to read what arrives. */
export function startLoad(one: Office, other: Office): Load {
  const ledger = createLedger()
  const sending = new AbortController()
  const reading = new AbortController()
  const refusals = new Set<string>()
  let slowest = 0
  let spooled = 0

  async function call(session: Session, tool: string, args: Record<string, unknown> = {}) {
    const began = performance.now()
    const result = await session.tool(tool, args)
    slowest = Math.max(slowest, performance.now() - began)
    return result
  }

  async function write(from: string, session: Session, recipients: string[]) {
    for (let number = 1; !sending.signal.aborted; number++) {
      for (const to of recipients) await say(session, { to, message: toText(from, to, number) })
      await call(session, 'list_peers')
      await pause(SEND_EVERY_MS, undefined, { signal: sending.signal }).catch(() => undefined)
    }
  }

  /** Says it until it is taken. */
  async function say(session: Session, { to, message }: { to: string; message: string }): Promise<void> {
    for (;;) {
      const { isError, data, text } = await call(session, 'send_message', { to, message })
      if (!isError) {
        const id = data['message_id']
        if (typeof id !== 'number') spooled++
        return typeof id === 'number' ? ledger.answer(message, id) : ledger.keep(message)
      }
      refusals.add(text)
      if (sending.signal.aborted) return
      await pause(READ_EVERY_MS)
    }
  }

  async function read(session: Session) {
    while (!reading.signal.aborted) {
      if (session.hasMailFlag()) {
        ledger.show(await session.deliver('UserPromptSubmit'))
      }
      await pause(READ_EVERY_MS, undefined, { signal: reading.signal }).catch(() => undefined)
    }
  }

  const writeAll = (office: Office, recipients: Office) =>
    Object.entries(office).map(([name, session]) => write(name, session, Object.keys(recipients)))
  const writers = Promise.all([...writeAll(one, other), ...writeAll(other, one)])
  const readers = Promise.all(
    [...Object.values(one), ...Object.values(other)].map((session) => read(session)),
  )
  async function stop() {
    sending.abort()
    reading.abort()
    await Promise.all([writers, readers])
  }
  return {
    ledger,
    slowest: () => slowest,
    refusals,
    spooled: () => spooled,
    async settle(timeoutMs) {
      sending.abort()
      await writers
      // What is still missing then, the verdict tells.
      const isRead = () => ledger.judge().lost.length === 0
      await waitFor(isRead, 'all mail to be read', timeoutMs).catch(() => undefined)
      await stop()
    },
    stop,
  }
}
