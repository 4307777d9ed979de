import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'

/** A stdio transport that tells when the answer to a request has left this process. */
export type FlushedStdio = {
  transport: StdioServerTransport
  afterAnswer(id: RequestId, work: () => void): void
}

/** The SDK's handlers return before their answer is written; a receipt may be given only after it is. */
export function createFlushedStdio(): FlushedStdio {
  const transport = new StdioServerTransport()
  const waiting = new Map<RequestId, () => void>()
  const send = transport.send.bind(transport)
  transport.send = async (message) => {
    await send(message)
    if (!('id' in message) || 'method' in message || message.id === undefined) return
    const work = waiting.get(message.id)
    waiting.delete(message.id)
    if ('result' in message) work?.()
  }
  return { transport, afterAnswer: (id, work) => void waiting.set(id, work) }
}
