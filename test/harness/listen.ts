import { listenBy, type Bell, type Listener } from '../../lib/db/bell.ts'

/** Listens to one topic of a bell until disposed. */
export const listen = (bell: Bell, topic: string, signal?: AbortSignal): Listener =>
  listenBy((wake) => bell.hear(topic, wake), signal)
