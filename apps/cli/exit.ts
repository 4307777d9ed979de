import { TRPCClientError } from '@trpc/client'
import { HubUnavailableError } from '#machine/hub-process'

/** The exit codes of the command line; `--help` lists them. */
export const EXIT = { failed: 1, usage: 2, noHub: 3 } as const

/** What was typed cannot be meant; the message says what can. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The exit code of a failure. */
export function toExitCode(cause: unknown): number {
  if (cause instanceof UsageError) return EXIT.usage
  if (cause instanceof HubUnavailableError) return EXIT.noHub
  if (cause instanceof TRPCClientError && cause.cause instanceof HubUnavailableError) return EXIT.noHub
  return EXIT.failed
}
