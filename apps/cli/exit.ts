import { TRPCClientError } from '@trpc/client'
import { escapeControls } from '#frame/escape'
import { HubUnavailableError } from '#machine/hub-process'
import { toPaths } from '#machine/paths'
import { toOwnWords } from './own-words.ts'
import { EXIT } from './exit-codes.ts'

/** What was typed cannot be meant; the message says what can. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Says what went wrong, and what to do about it; returns the exit code. */
export function fail(cause: unknown): number {
  process.stderr.write(`claude-peers: ${escapeControls(toOwnWords(explain(cause as Error)))}\n`)
  return toExitCode(cause)
}

function toExitCode(cause: unknown): number {
  if (cause instanceof UsageError) return EXIT.usage
  if (cause instanceof HubUnavailableError) return EXIT.noHub
  if (cause instanceof TRPCClientError && cause.cause instanceof HubUnavailableError) return EXIT.noHub
  return EXIT.failed
}

const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENOSPC'])

/** The words for a failure; what the system says of a file of ours comes with the way out. */
function explain(cause: Error): string {
  const { code = '', path, message } = cause as NodeJS.ErrnoException
  const { home } = toPaths()
  if (!UNWRITABLE.has(code) || !path?.startsWith(home)) return message
  return `${message}. HOME (${home}) must be a directory that you may write to, with room left.`
}
