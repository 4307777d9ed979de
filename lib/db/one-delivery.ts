import { and, eq, sql } from 'drizzle-orm'
import { deliveries } from './schema.ts'

/** The one delivery that a statement is about, by its values `messageId` and `recipientId`. */
export const oneDelivery = and(
  eq(deliveries.messageId, sql.placeholder('messageId')),
  eq(deliveries.recipientId, sql.placeholder('recipientId')),
)
