import { request } from 'node:http'
import { connect, type Socket } from 'node:net'

export type RawAnswer = { status: number; headers: Record<string, string>; body: string }

/** One HTTP exchange with exactly these headers; the answer's body stays text. */
export function exchange(
  url: string,
  options: {
    method?: string
    headers?: Record<string, string | string[]>
    body?: string | Buffer
    setHost?: boolean
  } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, setHost = true } = options
    const call = request(url, { method, headers, setHost, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers as Record<string, string>,
          body: text,
        }),
      )
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}

/** Opens a connection and writes bytes to it; the caller reads, waits or leaves it hanging. */
export function dial(
  url: string,
  bytes: string,
  { allowHalfOpen = false } = {},
): Socket & { text(): string } {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname.replaceAll(/^\[|\]$/g, ''), port: Number(port), allowHalfOpen })
  let text = ''
  socket.on('error', () => undefined)
  socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)))
  socket.write(bytes)
  return Object.assign(socket, { text: () => text })
}

/** Everything that the other side says until it hangs up. */
export async function converse(url: string, bytes: string, timeoutMs = 5_000): Promise<string> {
  const socket = dial(url, bytes)
  await new Promise<void>((resolve, reject) => {
    const impatience = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the hub kept the connection for ${timeoutMs} ms; it said: ${socket.text()}`))
    }, timeoutMs)
    socket.once('close', () => {
      clearTimeout(impatience)
      resolve()
    })
  })
  return socket.text()
}
