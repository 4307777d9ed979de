import type { HubClient } from '#client/connect'
import { toAge, toClock } from '#frame/time'
import type { KnownMachine } from '#router/shapes/machines'
import { readHubConfig } from '../network/hub-machine.ts'
import { printJson, printLines } from '../print.ts'
import { withHub } from '../session.ts'

/** Lists the other machines of the network and the invitations. */
export async function machines({ json }: { json?: boolean }): Promise<void> {
  readHubConfig('machines')
  const found = await withHub(readMachines, { start: false })
  if (json) return printJson(found)
  if (found.length === 0) {
    return printLines(['No other machine is known: "claude-peers hub invite <label>" asks one in.'])
  }
  const now = Date.now()
  printLines(found.map((machine) => describeMachine(machine, now)))
}

async function readMachines({ machines }: HubClient['hub']): Promise<KnownMachine[]> {
  const all: KnownMachine[] = []
  let cursor: string | undefined
  do {
    const page = await machines.list.query({ cursor })
    all.push(...page.machines)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return all
}

/** Ends the token of a machine. */
export async function revoke(label: string, { json }: { json?: boolean }): Promise<void> {
  readHubConfig(`revoke ${label}`)
  const revoked = await withHub((hub) => hub.machines.revoke.mutate({ machine: label }), { start: true })
  if (json) return printJson(revoked)
  const { closed } = revoked
  printLines([
    `Revoked ${revoked.label}: ${closed} ${closed === 1 ? 'connection was' : 'connections were'} closed, and its token opens nothing any more.`,
    'Mail for its sessions is kept until it expires; they get it if you invite that machine again.',
  ])
}

/** One line: label, what it is here as, its sessions, when it was last heard of. */
function describeMachine(machine: KnownMachine, now: number): string {
  const { label, host, state, sessions, seenAt, tokenId } = machine
  const parts = [
    toState(machine, now),
    host !== null && host !== label ? `calls itself ${host}` : '',
    state === 'joined' || state === 'shared'
      ? `${sessions} ${sessions === 1 ? 'session' : 'sessions'} online`
      : '',
    seenAt === null ? '' : `last seen ${toAge(seenAt, now)}`,
    tokenId ?? '',
  ]
  return `${label}: ${parts.filter(Boolean).join(' · ')}`
}

function toState({ state, createdAt, boundAt }: KnownMachine, now: number): string {
  if (state === 'joined') return `joined ${toClock(boundAt ?? createdAt, now)}`
  if (state === 'shared') return 'uses the shared token'
  if (state === 'invited') return `invited ${toAge(createdAt, now)}, has not joined yet`
  return state === 'expired' ? 'its invitation is over' : 'revoked'
}
