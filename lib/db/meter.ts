/**
 * What the memory tells of its work to whoever measures it. Told after the commit, and never of what was rolled back;
 * it must neither throw nor take long, as the writers wait for it.
 */
export type Meter = {
  /** A message was queued, for one recipient or several. */
  sent(): void
  /** A message was acknowledged, so many ms after it was queued. */
  delivered(ms: number): void
  /** So many messages were offered and not acknowledged in time, and wait again. */
  leaseOver(count: number): void
  /** A transaction of so many writes was committed, which took so many ms. */
  committed(operations: number, ms: number): void
}
