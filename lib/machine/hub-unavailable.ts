/** There is no hub to talk to, and why; the message says what to do next. */
export class HubUnavailableError extends Error {
  override name = 'HubUnavailableError'
}
