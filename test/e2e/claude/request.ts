/** What a client sends to the Messages API, as far as the tests read it, and the questions they ask of it. */
import type { IncomingHttpHeaders } from 'node:http'

/** One content block of a message. */
export type Block = {
  type: string
  text?: string
  id?: string
  name?: string
  input?: unknown
  tool_use_id?: string
  content?: string | Block[]
}

/** One message; the client puts messages with role `system` behind the user message that they belong to. */
export type Message = { role: 'user' | 'assistant' | 'system'; content: string | Block[] }

/** The body of `POST /v1/messages`. */
export type RequestBody = {
  model: string
  messages: Message[]
  system?: string | Block[]
  tools?: { name: string; description?: string; defer_loading?: boolean }[]
}

/** One logged request: `index` is its place in its log, `agentId` is set only when a subagent asks. */
export type ModelRequest = {
  index: number
  sessionId: string | undefined
  agentId: string | undefined
  body: RequestBody
}

/** The request as logged; session and agent are named by headers that both pinned versions send. */
export function toModelRequest(body: RequestBody, headers: IncomingHttpHeaders, index: number): ModelRequest {
  const sessionId = headers['x-claude-code-session-id']?.toString()
  const agentId = headers['x-claude-code-agent-id']?.toString()
  return { index, sessionId, agentId, body }
}

/** Answers whether the request belongs to no conversation: titles and the like are asked for without tools. */
export function isSideCall(body: RequestBody): boolean {
  return (body.tools ?? []).length === 0
}

/** All text that the model saw in the messages: every role, reminders and tool results included, in order. */
export function contextOf(request: ModelRequest): string {
  return request.body.messages.flatMap((message) => textsOf(message.content)).join('\n')
}

function textsOf(content: string | Block[] | undefined): string[] {
  if (content === undefined) return []
  if (typeof content === 'string') return [content]
  return content.flatMap((block) => [
    ...(block.text === undefined ? [] : [block.text]),
    ...textsOf(block.content),
  ])
}
