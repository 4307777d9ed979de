import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { isUnknownKey } from '#client/unknown-key'
import { escapeBody } from '#frame/escape'
import type { Link } from '../link.ts'

/** A result for programs and for the model: the same facts, as data and in words. */
export function answer(text: string, structuredContent: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text }], structuredContent }
}

/**
 * Runs a tool for a session that has its seat; whatever fails becomes an answer that says what to do, never a broken
 * protocol. A hub that does not know the session (any more) is told who it is, and asked again.
 */
export async function answering(link: Link, work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    await link.seated()
    return await work().catch(async (cause: unknown) => {
      if (!isUnknownKey(cause)) throw cause
      await link.renew()
      return work()
    })
  } catch (cause) {
    return { isError: true, content: [{ type: 'text', text: escapeBody((cause as Error).message) }] }
  }
}
