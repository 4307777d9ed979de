/**
 * Sockets without node:net. To load that, the streams below it, and to use them for the first time was 5 ms of the 12 that
 * a delivery took over a bare Node, and most of its memory. This speaks through the handles that node:net itself stands
 * on. They are Node's own and may change with any release: so they are used in the very Node alone that built this
 * bundle, which is the one that its tests ran with; in every other, node:net does the same.
 */
import { fstatSync } from 'node:fs'
import type { Ear, Place, Say } from './sockets.ts'

/** The version of Node that the build ran with; absent where the sources run. */
declare const BUILT_WITH: string | undefined

/** 0, or the negative number of an error. */
type Status = number
type Request = { oncomplete?: (status: Status) => void }
type Handle = {
  onread: (bytes: ArrayBuffer | undefined) => void
  readStart(): Status
  writeUtf8String(request: Request, text: string): Status
}
type Tcp = Handle & {
  setNoDelay(on: boolean): Status
  connect(request: Request, address: string, port: number): Status
}
type Pipe = Handle & { open(fd: number): Status }
type Make<T> = new (kind: number) => T
type Bindings = {
  tcp_wrap: { TCP: Make<Tcp>; TCPConnectWrap: new () => Request; constants: { SOCKET: number } }
  pipe_wrap: { Pipe: Make<Pipe>; constants: { SOCKET: number } }
  stream_wrap: {
    WriteWrap: new () => Request
    streamBaseState: Int32Array
    kReadBytesOrError: number
    kArrayBufferOffset: number
  }
}

export type Handles = ReturnType<typeof loadHandles>

/** The handles of this Node, or nothing where they are not known. */
export const findHandles = (): Handles | undefined => (found ??= { handles: look() }).handles

let found: { handles: Handles | undefined } | undefined

function look(): Handles | undefined {
  if (typeof BUILT_WITH === 'undefined' || process.version !== BUILT_WITH) return undefined
  // Its pipes are of another kind.
  if (process.platform === 'win32') return undefined
  try {
    return loadHandles()
  } catch {
    // Whoever set NODE_OPTIONS may have forbidden it, as with --permission.
    return undefined
  }
}

function loadHandles() {
  // With --pending-deprecation, the next line would be told of.
  process.noDeprecation = true
  const { binding } = process as unknown as { binding<K extends keyof Bindings>(name: K): Bindings[K] }
  return { ...binding('stream_wrap'), tcp: binding('tcp_wrap'), pipe: binding('pipe_wrap') }
}

/** Connects to an IPv4 address; gives nothing for what is none. */
export function connectHandle(handles: Handles, { host, port }: Place, ear: Ear): Say | undefined {
  if (!/^[\d.]+$/.test(host) || port > 65_535) return undefined
  const { WriteWrap, tcp } = handles
  const handle = new tcp.TCP(tcp.constants.SOCKET)
  const orEnd = (status: Status) => void (status === 0 || ear.onEnd())
  hear(handles, handle, ear)
  handle.setNoDelay(true)
  const connecting = new tcp.TCPConnectWrap()
  connecting.oncomplete = (status) => orEnd(status || handle.readStart())
  orEnd(handle.connect(connecting, host, port))
  // What is said before there is a connection waits for it.
  return (text) => {
    const writing = new WriteWrap()
    writing.oncomplete = orEnd
    orEnd(handle.writeUtf8String(writing, text))
  }
}

/** Reads standard input where it is a pipe or a socket, and tells whether it is one. */
export function readHandle(handles: Handles, ear: Ear): boolean {
  const input = fstatSync(0)
  if (!input.isFIFO() && !input.isSocket()) return false
  const { Pipe, constants } = handles.pipe
  const handle = new Pipe(constants.SOCKET)
  if (handle.open(0) !== 0) return false
  hear(handles, handle, ear)
  return handle.readStart() === 0
}

function hear(
  { streamBaseState, kReadBytesOrError, kArrayBufferOffset }: Handles,
  handle: Handle,
  { onBytes, onEnd }: Ear,
) {
  handle.onread = (bytes) => {
    const length = streamBaseState[kReadBytesOrError]!
    if (bytes && length > 0) onBytes(Buffer.from(bytes, streamBaseState[kArrayBufferOffset], length))
    else if (length < 0) onEnd()
  }
}
