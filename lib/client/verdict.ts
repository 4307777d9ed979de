import { TRPCClientError } from '@trpc/client'
import { HubSilentError, HubUnavailableError } from '#machine/hub-unavailable'
import type { AppRouter } from '#router/router'
import { NoAnswerError } from './no-answer.ts'

/**
 * What a failed call of a sender tells.
 * - `away`: the hub said nothing; whether it carried the call out is not known.
 * - `shut`: it does not let this machine in, or there is a setting to mend: no message is to blame.
 * - `unknown`: it does not know the mailbox key (any more), or not the token.
 * - `limit`: there is a limit, which may pass. `failed`: the hub failed at it.
 * - `refused`: it took the call, and will answer it so for ever.
 */
export type Verdict = 'away' | 'shut' | 'unknown' | 'limit' | 'failed' | 'refused'

/** Judges what a call rejected with. */
export function judge(cause: unknown): Verdict {
  if (cause instanceof NoAnswerError || cause instanceof HubSilentError) return 'away'
  if (cause instanceof HubUnavailableError) return 'shut'
  const code = (cause as TRPCClientError<AppRouter>).data?.code
  if (cause instanceof TRPCClientError && code) return CODES[code as string] ?? 'refused'
  const inner = (cause as Error).cause
  return inner instanceof Error ? judge(inner) : 'shut'
}

const CODES: Record<string, Verdict> = {
  SERVICE_UNAVAILABLE: 'away',
  UNAUTHORIZED: 'unknown',
  FORBIDDEN: 'shut',
  TOO_MANY_REQUESTS: 'limit',
  INTERNAL_SERVER_ERROR: 'failed',
}
