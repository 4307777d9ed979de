/**
 * What a hub cannot do without to answer that a mailbox is empty: node:http, a body read and parsed, the one statement,
 * an answer of the same form. No guard, no key, no router, no shapes.
 */
import { createServer, type IncomingMessage } from 'node:http'
import { addPeers, openBenchDatabase } from '../database.ts'
import { serve } from './serve.ts'

const database = openBenchDatabase(process.argv[2]!)
const [peer] = await addPeers(database, 1)
const server = createServer((request, response) => {
  void readJson(request).then(() => {
    if (database.mailbox.hasMail(peer!)) throw new Error('the mailbox is not empty')
    const answer = JSON.stringify({ result: { data: { offerId: null, messages: [], remaining: 0 } } })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
    response.end(answer)
  })
})

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}

await serve(server)
database.close()
