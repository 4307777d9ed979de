/**
 * The script of a conversation stands in its prompt: `[[call Bash {"command":"true"}]]` makes the model call that
 * tool, directives side by side are parallel calls of one message, and the word `then` between two starts the next
 * message. The position is read from the request's own messages, so any number of clients can share one model.
 *
 * Version 2.1.330 defers MCP tools behind its `ToolSearch` and says that calling them directly fails. It does not
 * (seen, also with numbers and arrays, also in a subagent), so no search goes before the call.
 */
import type { Message, ModelRequest } from './request.ts'

/** A tool call of the model; the id is made up when there is none. */
export type ToolUse = { name: string; input: unknown; id?: string }

/**
 * What the model answers: a text, which ends the turn, tool calls, parallel when there are several, or an error of the
 * API with its HTTP status.
 */
export type Reply = { text: string } | { toolUse: ToolUse } | { toolUses: ToolUse[] } | ApiError

/** An error as the Messages API sends it; the client repeats a request that got a 429 or a 5xx, unless a header forbids it. */
export type ApiError = { status: number; error: { type: string; message: string } }

/** Answers the next step of the script in the newest prompt, and the text `done` when there is no more. */
export function followPrompt(request: ModelRequest): Reply {
  const { messages } = request.body
  const start = messages.findLastIndex((message) => promptOf(message) !== '')
  const step = stepsTaken(messages.slice(start + 1))
  const calls = stepsOf(promptOf(messages[start]))[step]
  if (calls === undefined) return { text: 'done' }
  return { toolUses: calls.map((call) => ({ ...call, id: toStepId(step) })) }
}

/** The tool calls that `text` asks for, by step; throws on a directive whose input is no JSON object. */
export function stepsOf(text: string): ToolUse[][] {
  const steps: ToolUse[][] = []
  const directive = /\[\[call\s+(\S+)\s+(?=\{)/g
  let end = 0
  for (let match = directive.exec(text); match; match = directive.exec(text)) {
    if (steps.length === 0 || /\bthen\b/.test(text.slice(end, match.index))) steps.push([])
    end = findObjectEnd(text, directive.lastIndex)
    steps.at(-1)?.push({ name: match[1] ?? '', input: JSON.parse(text.slice(directive.lastIndex, end)) })
    directive.lastIndex = end
  }
  return steps
}

/** What a person, or a parent agent, has written in the message: what the client itself inserts is no script. */
function promptOf(message: Message | undefined): string {
  if (message?.role !== 'user') return ''
  const blocks =
    typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content
  const texts = blocks.flatMap((block) => (block.type === 'text' ? [block.text ?? ''] : []))
  const written = texts
    .join('\n')
    .replaceAll(/<system-reminder>.*?<\/system-reminder>/gs, '')
    .trim()
  return written.startsWith('Stop hook feedback:') ? '' : written
}

let calls = 0
function toStepId(step: number): string {
  calls += 1
  return `toolu_step${step}_${process.pid}x${calls}`
}

function stepsTaken(messages: Message[]): number {
  const blocks = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))
  const steps = blocks.map(({ id }) => Number(/^toolu_step(\d+)_/.exec(id ?? '')?.[1] ?? -1))
  return Math.max(-1, ...steps) + 1
}

/** Braces inside strings do not count, so that the prompt of a subagent can itself hold directives. */
function findObjectEnd(text: string, start: number): number {
  const token = /"(?:[^"\\]|\\.)*"|[{}]/gs
  token.lastIndex = start
  let depth = 0
  for (let match = token.exec(text); match; match = token.exec(text)) {
    if (match[0] === '{') depth += 1
    if (match[0] === '}') depth -= 1
    if (depth === 0) return token.lastIndex
  }
  throw new Error(`a directive does not end: ${text.slice(start, start + 200)}`)
}
