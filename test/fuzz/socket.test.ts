import { array, boolean, constantFrom, nat, oneof, record, uint8Array, type Arbitrary } from 'fast-check'
import { WebSocket } from 'ws'
import { waitFor } from '../harness/wait.ts'
import { fuzz } from './bound.ts'
import { anyCall } from './calls.ts'
import { useFuzzedHub } from './office.ts'
import { anyBytes, anyJson, anyText, mutated } from './values.ts'

const hub = useFuzzedHub()

const message = anyCall.chain(({ path, input }) =>
  mutated({
    id: 1,
    jsonrpc: '2.0',
    method: 'subscription',
    params: { path, input: { json: input }, lastEventId: '1' },
  }),
)
const call = record({
  id: oneof(nat(3), anyJson),
  method: constantFrom('query', 'mutation', 'subscription', 'subscription.stop', 'connectionParams'),
  call: anyCall,
}).map(({ id, method, call: { path, input } }) => ({ id, method, params: { path, input } }))
const text = oneof(
  message.map((one) => JSON.stringify(one)),
  call.map((one) => JSON.stringify(one)),
  array(call, { maxLength: 4 }).map((all) => JSON.stringify(all)),
  anyText,
  constantFrom('PING', 'PONG', '[]', '{}'),
)
type Frame = { how: 'send' | 'ping' | 'pong' | 'raw' | 'close'; bytes: Buffer; binary: boolean; fin: boolean }
const frame: Arbitrary<Frame> = record({
  how: constantFrom('send', 'send', 'send', 'send', 'ping', 'pong', 'raw', 'close'),
  bytes: oneof(
    { arbitrary: anyBytes(text), weight: 5 },
    uint8Array({ maxLength: 20 }).map((one) => Buffer.from(one)),
  ),
  binary: boolean(),
  fin: oneof({ arbitrary: constantFrom(true), weight: 4 }, constantFrom(false)),
})

fuzz(
  'whatever a WebSocket brings, the hub answers its pings or closes it',
  record({
    frames: array(frame, { minLength: 1, maxLength: 6 }),
    connection: constantFrom('', '?connectionParams=1'),
  }),
  async ({ frames, connection }) => {
    const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/trpc${connection}`, {
      headers: hub.headers,
    })
    let isClosed = false
    let isAlive = false
    socket.on('error', () => undefined)
    socket.on('close', () => (isClosed = true))
    socket.on('pong', (data) => (isAlive ||= data.toString() === 'still there?'))
    try {
      await waitFor(() => socket.readyState === socket.OPEN, 'the socket to open')
      for (const one of frames) play(socket, one)
      if (socket.readyState === socket.OPEN) socket.ping('still there?')
      // A message that was begun may be waited for; pings pass between its parts.
      await waitFor(() => isAlive || isClosed, 'an answer to a ping, or the end')
    } finally {
      socket.terminate()
    }
  },
)

function play(socket: WebSocket, { how, bytes, binary, fin }: Frame) {
  if (socket.readyState !== socket.OPEN) return
  if (how === 'send') socket.send(binary ? bytes : bytes.toString('utf8'), { binary, fin })
  if (how === 'ping') socket.ping(bytes.subarray(0, 125))
  if (how === 'pong') socket.pong(bytes.subarray(0, 125))
  // What the library would not send: wrong masks, lengths, codes, reserved bits.
  if (how === 'raw') (socket as unknown as { _socket: { write(data: Buffer): void } })._socket.write(bytes)
  if (how === 'close')
    socket.close(bytes.length % 2 ? 1000 : 4000 + (bytes.length % 900), bytes.toString('latin1', 0, 20))
}
