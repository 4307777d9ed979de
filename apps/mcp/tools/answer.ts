import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { Link } from '../link.ts'

/** A result for programs and for the model: the same facts, as data and in words. */
export function answer(text: string, structuredContent: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text }], structuredContent }
}

/** Runs a tool; whatever fails becomes an answer that says what to do, never a broken protocol. */
export async function answering(link: Link, work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await work()
  } catch (cause) {
    const trouble = link.self() ? undefined : link.trouble()
    const text = [
      (cause as Error).message,
      trouble && trouble !== (cause as Error).message ? `(${trouble})` : '',
    ]
    return { isError: true, content: [{ type: 'text', text: text.filter(Boolean).join(' ') }] }
  }
}
