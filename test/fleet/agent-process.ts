/** Asks what a test wants to know from inside of a computer's network, over IPC: raw requests and WebSockets. */
import { WebSocket } from 'ws'
import { answerCalls } from '../../lib/probe/calls.ts'
import { converse, exchange } from '../harness/raw.ts'

type Request = { url: string; method?: string; headers?: Record<string, string>; body?: string }
const sockets: { ended: Promise<number> }[] = []

await answerCalls({
  exchange: ({ url, ...options }: Request) => exchange(url, options),
  converse: ({ url, bytes }: { url: string; bytes: string }) => converse(url, bytes),
  /** Opens a WebSocket, and gives its number; a refusal gives the status of the answer. */
  openSocket: ({ url, headers }: { url: string; headers: Record<string, string> }) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { headers })
      const ended = new Promise<number>((end) => socket.once('close', end))
      socket.once('open', () => resolve({ number: sockets.push({ ended }) - 1 }))
      socket.once('unexpected-response', (_request, { statusCode }) => resolve({ status: statusCode }))
      socket.once('error', reject)
    }),
  /** Resolves with the code that a WebSocket was closed with. */
  socketEnd: ({ number }: { number: number }) => sockets[number]!.ended,
})
process.exit(0)
