import { TRPCClientError } from '@trpc/client'
import { HubUnavailableError } from '#machine/hub-process'
import { toPaths } from '#machine/paths'

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

const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENOSPC'])

/** The words for a failure; what the system says of a file of ours comes with the way out. */
export function explain(cause: Error): string {
  const { code = '', path, message } = cause as NodeJS.ErrnoException
  const { home } = toPaths()
  if (!UNWRITABLE.has(code) || !path?.startsWith(home)) return message
  return `${message}. HOME (${home}) must be a directory that you may write to, with room left.`
}
