import { TRPCClientError } from '@trpc/client'
import type { AppRouter } from '#router/router'

/** Whether a call failed because the hub does not know its mailbox key (any more): registering again gives one. */
export function isUnknownKey(cause: unknown): boolean {
  return (
    cause instanceof TRPCClientError && (cause as TRPCClientError<AppRouter>).data?.code === 'UNAUTHORIZED'
  )
}
