import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js'
import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js'

/** A stdio transport that tells when the answer to a request has left this process. */
export type FlushedStdio = {
  transport: StdioServerTransport
  /** Runs `work` once the answer to that request is written, after other work for it; not when that is an error. */
  afterAnswer(id: RequestId, work: () => void): void
}

/**
 * The SDK's handlers return before their answer is written, and its transport is done when the stream has taken it,
 * which may be long before the client reads; a receipt may be given only after the bytes are out.
 */
export function createFlushedStdio(
  stdin: Readable = process.stdin,
  stdout: Writable = process.stdout,
): FlushedStdio {
  const transport = new StdioServerTransport(stdin, stdout)
  const waiting = new Map<RequestId, () => void>()
  transport.send = (message) =>
    new Promise((resolve, reject) => {
      stdout.write(serializeMessage(message), (cause) => {
        if (cause) return reject(cause)
        settle(message)
        resolve()
      })
    })

  function settle(message: JSONRPCMessage) {
    if (!('id' in message) || 'method' in message || message.id === undefined) return
    const work = waiting.get(message.id)
    waiting.delete(message.id)
    if ('result' in message && !message.result['isError']) work?.()
  }

  return {
    transport,
    afterAnswer(id, work) {
      const before = waiting.get(id)
      waiting.set(id, () => {
        before?.()
        work()
      })
    },
  }
}
