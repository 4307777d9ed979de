import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { toTextFrame } from '../../apps/hub/text-frame.ts'
import { waitFor } from '../harness/wait.ts'

const LENGTHS = [0, 1, 125, 126, 65_535, 65_536, 300_000]

test('a frame of any length is one text message for a client, byte for byte', async () => {
  const texts = [...LENGTHS.map((length) => 'x'.repeat(length)), '東京 \u2028 "ü" 🎉', '東'.repeat(30_000)]
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  // As one write each, and all in one.
  server.on('connection', (_, { socket }) => {
    for (const text of texts) socket.write(toTextFrame(text))
    socket.write(Buffer.concat(texts.map(toTextFrame)))
  })
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const heard: [string, boolean][] = []
  client.on('message', (data: Buffer, isBinary) => heard.push([data.toString(), isBinary]))
  await waitFor(() => heard.length === 2 * texts.length, 'every frame')
  expect(heard).toEqual([...texts, ...texts].map((text) => [text, false]))
  client.terminate()
  server.close()
})
