/**
 * The places of a mailbox. One limit for all senders together let one machine fill a mailbox and shut the others out. So
 * sessions of the recipient's own machine and those of other machines have places apart, one machine and one sender have
 * a part of them, and a few messages of each person always fit.
 */
import { and, count, eq, isNull, sql } from 'drizzle-orm'
import type { Connection } from './connection.ts'
import { PLACES } from './limits.ts'
import { deliveries } from './schema.ts'

/** Whose places in a mailbox are taken: those of one sender, its machine, all other machines, or the recipient's machine. */
export type Taken = 'sender' | 'machine' | 'others' | 'own'

/** No part of a mailbox is smaller, so that one in which fewer messages wait has room for everybody. */
export const SMALLEST_PART = Math.min(PLACES.sender, PLACES.machine, PLACES.others, PLACES.own)

/** Makes the check of whether a sender has a place left in a mailbox; reads each message that waits there. */
export function createPlaces({ orm, seat }: Connection) {
  const waitingBySender = orm
    .select({ senderId: deliveries.senderId, count: count() })
    .from(deliveries)
    .where(and(eq(deliveries.recipientId, sql.placeholder('recipientId')), isNull(deliveries.settledAt)))
    .groupBy(deliveries.senderId)
    .prepare()

  return function findTaken(senderId: string, recipientId: string): Taken | undefined {
    const sender = seat(senderId)!
    const home = seat(recipientId)!.machineId
    const waiting = { sender: 0, machine: 0, others: 0, own: 0 }
    for (const row of waitingBySender.all({ recipientId })) {
      const machineId = seat(row.senderId)?.machineId
      if (row.senderId === senderId) waiting.sender += row.count
      if (machineId === sender.machineId) waiting.machine += row.count
      waiting[machineId === home ? 'own' : 'others'] += row.count
    }
    if (sender.kind === 'user' && waiting.sender < PLACES.person) return undefined
    const parts: Taken[] = sender.machineId === home ? ['sender', 'own'] : ['sender', 'machine', 'others']
    return parts.find((part) => waiting[part] >= PLACES[part])
  }
}
