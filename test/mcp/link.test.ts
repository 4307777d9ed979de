import { once } from 'node:events'
import { createServer, request as startRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { openLink } from '../../apps/mcp/link.ts'
import { busySince, readCard, setBusy, writeCard } from '../../lib/machine/cards.ts'
import { readConfig } from '../../lib/machine/config.ts'
import { makePrivateDir } from '../../lib/machine/paths.ts'
import { ownIdentity } from '../../lib/machine/processes.ts'
import { openHub, type TestHub } from '../harness/hub.ts'

/** A directory without a repository. */
const ALONE = { repository: undefined, remote: undefined, place: undefined }

/** A way to the hub that holds a registration back while it is closed. */
async function openGate(hub: TestHub) {
  let passage = Promise.resolve()
  let arrived = Promise.withResolvers<void>()
  const server = createServer((incoming: IncomingMessage, outgoing) => {
    const pass = async () => {
      if (incoming.url?.includes('peers.register')) {
        arrived.resolve()
        await passage
      }
      const { method, headers } = incoming
      const onward = startRequest(hub.url + incoming.url, { method: method!, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    }
    void pass()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      const { promise, resolve } = Promise.withResolvers<void>()
      passage = promise
      arrived = Promise.withResolvers()
      return { arrived: () => arrived.promise, open: resolve }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The link of a session whose Claude process is the test itself. */
function linkTo(hub: TestHub, url: string) {
  const { home, sessions } = hub.config.paths
  return openLink({
    readConfig: () => readConfig({ HOME: home, CLAUDE_PEERS_BROKER_URL: url, CLAUDE_PEERS_TOKEN: hub.token }),
    sessions,
    claude: ownIdentity(),
    readProject: async () => ({ cwd: home, root: home, isRepo: false, branch: undefined, ...ALONE }),
    sessionId: 'first',
    toolPrefix: 'mcp__claude-peers__',
  })
}

// Seen on a busy machine: after a restart of the hub the card named the transcript before, and no mail was read.
test('what a hook keeps in the card while its server registers again is kept', async () => {
  await using hub = await openHub()
  await using gate = await openGate(hub)
  const { sessions } = hub.config.paths
  const link = linkTo(hub, gate.url)
  await link.seated()
  const before = readCard(sessions, process.pid)!
  const registration = gate.close()
  const renewed = link.renew()
  await registration.arrived()
  writeCard(sessions, { ...before, sessionIds: ['first', 'second'], transcript: '/projects/second.jsonl' })
  registration.open()
  await renewed
  expect(readCard(sessions, process.pid)).toEqual({
    ...before,
    sessionIds: ['first', 'second'],
    transcript: '/projects/second.jsonl',
  })
  await link.leave()
})

test('the mark of a turn that another process with this number left is taken away', async () => {
  await using hub = await openHub()
  const { sessions } = hub.config.paths
  makePrivateDir(sessions)
  setBusy(sessions, process.pid, true)
  const link = linkTo(hub, hub.url)
  await link.seated()
  expect(busySince(sessions, process.pid)).toBeUndefined()
  await link.leave()
})
