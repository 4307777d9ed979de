import { randomBytes } from 'node:crypto'
import { hashKey, toPeerId } from './keys.ts'
import { toName, uniqueName } from './names.ts'
import { toPastTime } from './old-time.ts'

/** A row of v1 or v2, which adds columns when it starts. */
export type OldPeer = {
  id: string
  name?: string | null
  cwd?: string | null
  git_root?: string | null
  summary?: string | null
  last_seen?: unknown
  host?: string | null
  machine_id?: string | null
}
export type OldMessage = {
  id: number
  from_id: string
  to_id: string
  text: string | number | Uint8Array | null
  sent_at?: unknown
  delivered?: number | null
  status?: string | null
  delivered_at?: unknown
}

/** Stands for a machine that v2 knew by its label alone, until that machine registers and says its id. */
export const formerMachineId = (host: string) => `v2:${host}`

/** v2 deletes the row of a peer whose process died, but keeps mail for it: such a peer still needs a seat. */
export function withForgotten(oldPeers: OldPeer[], oldMessages: OldMessage[]): OldPeer[] {
  const known = new Set(oldPeers.map((peer) => peer.id))
  const mentioned = new Set(oldMessages.flatMap((message) => [message.from_id, message.to_id]))
  const forgotten = [...mentioned].filter((id) => !known.has(id))
  return [...oldPeers, ...forgotten.map((id) => ({ id, name: `v2-${id}` }))]
}

/**
 * Where a peer lives. Some versions kept only the label of a machine: the peers of another machine must not become
 * seats of this one, whose next session at the same path would get their mail.
 */
export function toMachines(oldPeers: OldPeer[], own: { id: string; host: string }) {
  const hosts = new Map([[own.id, toName(own.host)]])
  for (const { machine_id: id, host } of oldPeers) {
    if (id && !hosts.has(id)) hosts.set(id, toName(host || id))
  }
  const ids = new Map([...hosts].toReversed().map(([id, host]) => [host, id]))
  return (peer: OldPeer): { id: string; host: string } => {
    if (peer.machine_id) return { id: peer.machine_id, host: hosts.get(peer.machine_id)! }
    const host = toName(peer.host || own.host)
    return { id: ids.get(host) ?? formerMachineId(host), host }
  }
}

/** A seat without a session, which the next session in its directory inherits. */
export function toSeat(
  peer: OldPeer,
  { machineId, now, isTaken }: { machineId: string; now: number; isTaken: (name: string) => boolean },
) {
  const root = peer.git_root || peer.cwd || `v2:${peer.id}`
  const seenAt = toPastTime(peer.last_seen, now) ?? now
  return {
    id: toPeerId(),
    machineId,
    name: uniqueName(peer.name || root, isTaken),
    root,
    cwd: peer.cwd || root,
    isRepo: Boolean(peer.git_root),
    summary: peer.summary || '',
    keyHash: hashKey(randomBytes(32).toString('base64url')),
    seenAt,
  }
}

/** What was said. */
export function toMessage(old: OldMessage, now: number) {
  const body = toText(old.text)
  return {
    id: old.id,
    idempotencyKey: `v2:${old.id}`,
    body,
    chars: body.length,
    createdAt: toPastTime(old.sent_at, now) ?? now,
  }
}

/** Delivered is what one of its versions said so of; a state that none of them knew waits again, rather than be lost. */
export function toDelivery(old: OldMessage, { now, expireAfterMs }: { now: number; expireAfterMs: number }) {
  const queuedAt = toPastTime(old.sent_at, now) ?? now
  const isDelivered = old.delivered === 1 || old.status === 'delivered'
  return {
    messageId: old.id,
    state: isDelivered ? 'delivered' : 'queued',
    attempts: Number(isDelivered),
    queuedAt,
    settledAt: isDelivered ? (toPastTime(old.delivered_at, now) ?? queuedAt) : null,
    expiresAt: now + expireAfterMs,
  }
}

function toText(text: OldMessage['text']): string {
  const body = text instanceof Uint8Array ? Buffer.from(text).toString('utf8') : String(text ?? '')
  return body || '(empty message)'
}
