/** A program that uses the hub through the typed client, over HTTP and WebSocket; prints what came over both. */
import { connectToHub } from '../../lib/client/main.ts'

const { hub, close } = await connectToHub()
const { peers } = await hub.peers.list.query()
const { promise, resolve, reject } = Promise.withResolvers<void>()
hub.peers.watch.subscribe(undefined, { onData: () => resolve(), onError: reject })
await promise
await close()
process.stdout.write(JSON.stringify({ peers: peers.length, watched: true }))
