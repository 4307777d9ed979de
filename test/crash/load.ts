/** Senders, readers, hubs and MCP servers that go on whatever is killed, and the hand that kills them. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Seat } from '../harness/hub.ts'
import type { Session } from '../harness/session.ts'
import type { Chance } from './chance.ts'
import { toText, type Ledger } from './ledger.ts'
import type { HookEnd, Office, Victim } from './office.ts'
import { shimMcp } from './session-story.ts'
import { readNote } from './shim.ts'
import { noteSent } from './spool-story.ts'
import { LEASE_OVER_MS, send } from './stories.ts'

export type Killed = 'hub' | 'hook' | 'MCP server'

/** Who was killed how often, and where, by the kind of call. */
export type Tally = ReturnType<typeof createTally>

/** `least`: how many of each, and of all together, before the killing is over; `signal` ends it at once. */
export function createTally({
  least,
  all,
  signal,
}: {
  least: Record<Killed, number>
  all: number
  signal: AbortSignal
}) {
  const counts: Record<Killed, number> = { hub: 0, hook: 0, 'MCP server': 0 }
  const places = { hub: new Map<string, number>(), hook: new Map(), 'MCP server': new Map() }
  const total = () => Object.values(counts).reduce((sum, count) => sum + count, 0)
  const isEnough = (killed: Killed) => counts[killed] >= least[killed]
  return {
    note(killed: Killed, killedAt: string | undefined) {
      const place = killedAt?.split(' ').slice(0, 2).join(' ') ?? 'at a random moment'
      counts[killed]++
      places[killed].set(place, (places[killed].get(place) ?? 0) + 1)
    },
    counts,
    places,
    signal,
    isOver: () =>
      signal.aborted || (total() >= all && isEnough('hub') && isEnough('hook') && isEnough('MCP server')),
  }
}

export type Load = { office: Office; ledger: Ledger; tally: Tally; chance: Chance }

const HOWS = ['before', 'after', 'half'] as const

/** Serves, and kills what serves, at a random call after the claim or a random moment; gives the hub that survives. */
export async function killHubs({ office, tally, chance }: Load): Promise<Victim> {
  while (!tally.isOver()) {
    // One in four while it starts.
    const call = chance.between(1, 4) === 1 ? chance.between(1, 120) : chance.between(121, 4_000)
    const rule = `open *.db.lock;any * n=${call} kill=${chance.pick(HOWS)}`
    const hub = await office.serve({ rule })
    const moment = setTimeout(() => hub.kill('SIGKILL'), chance.between(50, 2_000))
    const end = await hub.exited
    clearTimeout(moment)
    expect({ end, said: hub.stderr() }).toMatchObject({ end: 'SIGKILL' })
    tally.note('hub', hub.killedAt())
    expect(office.inspect()).toBe('ok')
    // What killed hooks were offered is offered again.
    office.clock.advance(LEASE_OVER_MS)
  }
  return office.serve()
}

/** Runs the hook of one reader over and over, mostly until it is killed at a random call. */
export async function killHooks(
  { ledger, tally, chance }: Load,
  read: (rule?: string) => Promise<HookEnd>,
): Promise<void> {
  async function once(rule?: string): Promise<string> {
    const { context, signal, killedAt } = await read(rule)
    if (signal === 'SIGKILL') tally.note('hook', killedAt)
    return context
  }
  while (!tally.isOver()) {
    const rule = `open *sessions/*;any * n=${chance.between(1, 45)} kill=${chance.pick(HOWS)}`
    const isAlone = chance.between(1, 4) > 1
    const contexts = await Promise.all([once(rule), isAlone ? '' : once()])
    // Which of two hooks side by side ends first says nothing of which was given its mail first.
    for (const context of contexts.toSorted((one, other) => firstId(one) - firstId(other)))
      ledger.show(context)
  }
}

const firstId = (context: string) => Number(/<peer-message id="(\d+)"/.exec(context)?.[1] ?? 0)

/** Starts the MCP server of a session over and over, and has it send and read until it is killed. */
export async function killServers(load: Load, session: Session, to: string[]): Promise<void> {
  const { office, tally, chance } = load
  let number = 0
  while (!tally.isOver()) {
    const rule = `open *machine-id;any * n=${chance.magnitude(600)} kill=${chance.pick(HOWS)}`
    const { wrapper, note } = shimMcp(office, rule)
    try {
      await session.startMcp(0, { wrapper })
      const calls = chance.between(1, 12)
      for (let call = 0; call < calls; call++)
        await useTools(load, session, { to: chance.pick(to), number: ++number })
      await session.killMcp()
    } catch (cause) {
      if (!/the MCP server ended with SIGKILL/.test((cause as Error).message)) throw cause
    }
    tally.note('MCP server', readNote(note))
  }
}

async function useTools(
  { ledger }: Load,
  session: Session,
  { to, number }: { to: string; number: number },
): Promise<void> {
  const taken = await session.tool('check_messages')
  ledger.show(taken.text)
  const message = toText('session', to, number)
  const sent = await session.tool('send_message', { to, message })
  noteSent(ledger, message, sent)
}

/** Less than a pair may send in a minute. */
const SEND_PAUSE_MS = 40

/** Sends to one reader after the other, each text until it is answered. */
export async function sendOn({ ledger, tally, chance }: Load, seat: Seat, readers: string[]): Promise<void> {
  for (let number = 1; !tally.isOver(); number++) {
    await send(ledger, seat, { from: seat.name, to: chance.pick(readers), number, signal: tally.signal })
    await pause(SEND_PAUSE_MS)
  }
}
