/** A model that answers mail by itself, and what its requests tell of how mail came in. */
import { contextOf, type ModelRequest, type Responder } from './model.ts'
import type { Block, Message } from './request.ts'

const SEND = 'mcp__claude-peers__send_message'

/** Answers each `round N` that arrives as mail with `round N+1` to its sender, up to that many. */
export function answerRounds(last: number): Responder {
  return (request) => {
    const arrived = [
      ...contextOf(request).matchAll(/<peer-message id="(\d+)" from="([^"]+)"[^>]*>\s*round (\d+)/g),
    ]
    const newest = arrived.at(-1)
    if (!newest) return undefined
    const next = Number(newest[3]) + 1
    if (next > last || callsOf(request).some((text) => text.includes(`round ${next}`))) return undefined
    const input = { to: newest[2], message: `round ${next}`, reply_to: Number(newest[1]) }
    return { toolUse: { name: SEND, input } }
  }
}

/** The longest run of blocked stops without a tool call between them, of those that the request shows. */
export function longestRunOfBlocks({ body }: ModelRequest): number {
  let longest = 0
  let run = 0
  for (const message of body.messages) {
    if (blocksOf(message).some(({ type }) => type === 'tool_use')) run = 0
    const isBlock = message.role !== 'assistant' && textOf(message).includes('Stop hook feedback:')
    if (isBlock) longest = Math.max(longest, (run += 1))
  }
  return longest
}

const callsOf = ({ body }: ModelRequest): string[] =>
  body.messages.flatMap((message) =>
    blocksOf(message).flatMap(({ type, input }) => (type === 'tool_use' ? [JSON.stringify(input)] : [])),
  )

const blocksOf = ({ content }: Message): Block[] => (typeof content === 'string' ? [] : content)

const textOf = (message: Message) =>
  typeof message.content === 'string'
    ? message.content
    : message.content.map(({ text = '' }) => text).join('\n')
