import { createHome, type Home } from './home.ts'
import { joinAs, type TestPeer } from './peer.ts'
import { startSession, type Session } from './session.ts'

export type Pair = AsyncDisposable & { home: Home; api: Session; web: TestPeer }

/** A home where claude-peers is installed, a session `api` in it, and a peer `web` that writes to it. */
export async function openPair(): Promise<Pair> {
  await using stack = new AsyncDisposableStack()
  const home = stack.use(await createHome({ install: true }))
  const api = stack.use(await startSession(home, { cwd: await home.project('api') }))
  const web = stack.use(await joinAs(home, 'web'))
  const opened = stack.move()
  return { home, api, web, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
