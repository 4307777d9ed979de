import { connectHandle, findHandles, readHandle } from './handles.ts'

/** Where a listener is: an address of this machine as numbers, or a name of it. */
export type Place = { host: string; port: number }

/** Hears what comes in, and once that no more will: that it ended, broke, or was never there. */
export type Ear = { onBytes(bytes: Buffer): void; onEnd(): void }

/** Says something, as soon as there is a connection. */
export type Say = (text: string) => void

/** Connects to a listener of this machine. Throws when there can be none at such a place. */
export function connectTo(place: Place, ear: Ear): Say {
  const handles = findHandles()
  return (handles && connectHandle(handles, place, ear)) ?? connectStream(place, ear)
}

/** Reads standard input to its end. */
export function readInputText(): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const ear: Ear = {
      onBytes: (bytes) => void chunks.push(bytes),
      onEnd: () => resolve(Buffer.concat(chunks).toString('utf8')),
    }
    const handles = findHandles()
    if (!handles || !readHandle(handles, ear)) readStream(ear)
  })
}

function connectStream(place: Place, { onBytes, onEnd }: Ear): Say {
  const { connect } = process.getBuiltinModule('node:net')
  const socket = connect({ ...place, noDelay: true })
  socket.on('data', onBytes).on('error', onEnd).on('close', onEnd)
  return (text) => void socket.write(text)
}

function readStream({ onBytes, onEnd }: Ear) {
  process.stdin.on('data', onBytes).on('end', onEnd).on('error', onEnd)
}
