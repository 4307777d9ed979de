import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { judge } from '#client/verdict'
import { escapeBody } from '#frame/escape'
import { toStart } from '#frame/fit'
import { shortenPaths } from '#frame/home-path'
import { toPaths } from '#machine/paths'
import { startDeadline } from '../deadline.ts'
import type { Link } from '../link.ts'
import { asSeated } from './seated.ts'

/** The most of an error: the hub may be another version, with more to say. */
const MOST_ERROR_CHARS = 4_000

/** A result for programs and for the model: the same facts, as data and in words. */
export function answer(text: string, structuredContent: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text }], structuredContent }
}

/**
 * Runs a tool for a session that has its seat; whatever fails becomes an answer that says what to do, never a broken
 * protocol. A hub of this machine may take its time, as for a start or a migration; one of another is not waited for
 * any longer than two seconds.
 */
export function answering(link: Link, work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  return explaining(async () => {
    const seated = asSeated(link, work)
    const config = link.remote()
    if (!config) return seated
    const answered = await startDeadline()
      .within(seated)
      .catch((cause: unknown) => {
        // However it is away: which system call failed is for "claude-peers doctor" to tell.
        if (judge(cause) !== 'away') throw cause
        return undefined
      })
    if (answered) return answered.value
    throw new Error(
      `The hub at ${config.brokerUrl} does not answer: it runs on another machine, and what it knows is not to be had now. Go on with your work and ask again later; send_message works all the same, it keeps messages on this computer until the hub is back.`,
    )
  })
}

/** The same without a seat and a deadline. */
export async function explaining(work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await work()
  } catch (cause) {
    return {
      isError: true,
      content: [{ type: 'text', text: toStart(escapeBody(toWords(cause as Error)), MOST_ERROR_CHARS) }],
    }
  }
}

const toWords = ({ message }: Error) => shortenPaths(message, toPaths().home)
