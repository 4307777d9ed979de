/** A server of mail with so many mailboxes: what every one of them is asked to do. */
export type Mail = AsyncDisposable & {
  /** Which program, for the head of the results. */
  version: string
  /** Sends a text to a mailbox, takes it out there and acknowledges it; each step is answered before the next. */
  exchange(mailbox: number, text: string): Promise<void>
}
