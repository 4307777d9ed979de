import { getTRPCErrorFromUnknown, getTRPCErrorShape, type TRPCError } from '@trpc/server'
import { appRouter } from '#router/router'
import { say, type Asked, type Line } from './line.ts'

/** What went wrong, and with which call, if it was one. */
export type Failure = {
  cause: unknown
  type?: 'query' | 'mutation' | 'subscription' | 'unknown'
  path?: string
  input?: unknown
}

/** Answers with an error, in the shape of the router's errors, and gives it. */
export function refuse(
  line: Line,
  { id, jsonrpc }: Asked,
  { cause, type = 'unknown', path, input }: Failure,
): TRPCError {
  const error = getTRPCErrorFromUnknown(cause)
  const config = appRouter._def._config
  say(line, {
    id,
    jsonrpc,
    error: getTRPCErrorShape({ config, error, type, path, input, ctx: line.context }),
  })
  return error
}
