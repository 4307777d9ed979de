import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Context } from '#router/context'
import type { Follower } from './followers.ts'
import { toTextFrame } from './text-frame.ts'
import type { Toll } from './toll.ts'

/** One WebSocket as the hub talks on it. */
export type Line = {
  client: WebSocket
  /** What is below it: whole frames are written there. */
  socket: Duplex
  context: Context
  /** Where it comes from, for the log. */
  source: string
  toll: Toll
  /** Its first message tells of the connection, and is no call. */
  awaitsParams: boolean
  /** What it follows, by the id of the request. */
  followers: Map<string | number, Follower>
  draining: Promise<void> | undefined
}

/** What an answer belongs to. */
export type Asked = { id: string | number | null; jsonrpc?: '2.0' | undefined }

/** A line with more unsent bytes than this is told nothing more until they are gone. */
const MAX_BUFFERED_BYTES = 512 * 1_024

/** Whether anything can still be said. */
export const isOpen = ({ client }: Line): boolean => client.readyState === client.OPEN

/** Whether so much is unsent that nothing should be added. One that closes is not: nothing is added to it anyway. */
export const isFull = (line: Line): boolean => isOpen(line) && line.socket.writableLength > MAX_BUFFERED_BYTES

/** Says something as JSON; nothing is said any more once the WebSocket closes. */
export const say = (line: Line, answer: object): void => sayText(line, JSON.stringify(answer))

/** The same with a text. */
export const sayText = (line: Line, text: string): void => sayFrames(line, toTextFrame(text))

/** The same with frames that are made already. They go past `ws`, which writes each in two parts. */
export function sayFrames(line: Line, frames: Buffer): void {
  if (isOpen(line)) line.socket.write(frames)
}

/** Resolves once nothing is unsent, or the socket is gone; of a line that is full. */
export function drained(line: Line): Promise<void> {
  line.draining ??= new Promise<void>((resolve) => {
    const { socket } = line
    const done = () => {
      socket.off('drain', done).off('close', done)
      line.draining = undefined
      resolve()
    }
    socket.on('drain', done).on('close', done)
  })
  return line.draining
}
