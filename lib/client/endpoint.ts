import { KEY_HEADER } from '#router/wire'

/** Where a hub is, and what opens it: its token, and a mailbox key to speak for a peer. */
export type Endpoint = { url: string; token: string; key?: string | undefined }

/** The headers of every call and of the WebSocket's upgrade. */
export function toHeaders({ token, key }: Endpoint): Record<string, string> {
  return { authorization: `Bearer ${token}`, ...(key && { [KEY_HEADER]: key }) }
}

/**
 * Tells where the hub is, before each call and each connection of the feed. `fresh` is set when what it told last did
 * not answer, and for a new connection: look again, and start the hub if that is yours to do.
 */
export type EndpointSource = (options: { fresh: boolean }) => Endpoint | Promise<Endpoint>
