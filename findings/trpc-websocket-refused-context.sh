#!/usr/bin/env bash
# Guess: a tRPC server whose `createContext` throws UNAUTHORIZED for a WebSocket makes the client's subscription call
# `onError` with that code, and its query reject with it, as both do over HTTP.
#
# Seen with @trpc/server and @trpc/client 11.25.2 and ws 8.23.0: the code never arrives. The server sends an error that has no
# id and closes the socket; the client takes that for a lost connection and connects again, for ever. In most runs nothing
# else happens: `onError` is never called and the query never settles. In some runs the first send meets a socket that is
# closing, and both fail with "Active connection is not open", which has no code. So a `retryLink` that gives up on
# UNAUTHORIZED never sees it.
#
# What follows for a program: check the token over HTTP first, and watch `onConnectionStateChange` of each subscription.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent @trpc/server@11.25.2 @trpc/client@11.25.2 ws@8.23.0 typescript@5.9.3
cat >main.mjs <<'JS'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import { initTRPC, TRPCError } from '@trpc/server'
import { createTRPCClient, createWSClient, httpLink, wsLink } from '@trpc/client'
import { WebSocket, WebSocketServer } from 'ws'

const t = initTRPC.create()
const router = t.router({
  ping: t.procedure.query(() => 'pong'),
  feed: t.procedure.subscription(async function* () {
    yield 1
  }),
})
const createContext = () => {
  throw new TRPCError({ code: 'UNAUTHORIZED', message: 'wrong token' })
}
const server = createHTTPServer({ router, createContext })
const wss = new WebSocketServer({ server })
applyWSSHandler({ wss, router, createContext })
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()

const overHttp = createTRPCClient({ links: [httpLink({ url: `http://127.0.0.1:${port}` })] })
const refused = await overHttp.ping.query().catch((error) => error.data.code)
console.log('query over HTTP:', refused)
assert.equal(refused, 'UNAUTHORIZED')

const seen = { connections: 0, codes: [], messages: [] }
const note = (error) => {
  seen.messages.push(error.message)
  if (error.data?.code) seen.codes.push(error.data.code)
}
const client = createWSClient({ url: `ws://127.0.0.1:${port}`, WebSocket, retryDelayMs: () => 20 })
const overSocket = createTRPCClient({ links: [wsLink({ client })] })
overSocket.ping.query().catch(note)
overSocket.feed.subscribe(undefined, { onError: note })
while (seen.connections < 20) {
  await once(wss, 'connection')
  seen.connections++
}
console.log('over WebSocket:', seen)
assert.deepEqual(seen.codes, [])
assert.ok(seen.messages.every((message) => message === 'Active connection is not open'))
process.exit(0)
JS
timeout 60 node main.mjs
echo 'as described'
