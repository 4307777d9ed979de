/** There is no hub to talk to, and why; the message says what to do next. */
export class HubUnavailableError extends Error {
  override name = 'HubUnavailableError'
}

/** The same of a hub of another machine that does not answer: it may be there again any time, and nothing is to mend. */
export class HubSilentError extends HubUnavailableError {}
