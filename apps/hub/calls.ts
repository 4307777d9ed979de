import { callTRPCProcedure, TRPCError } from '@trpc/server'
import type { TRPCRequestMessage } from '@trpc/server/rpc'
import { isFeed } from '#router/feed'
import { appRouter } from '#router/router'
import { createFollowers, type Follower } from './followers.ts'
import { isOpen, say, type Line } from './line.ts'
import { refuse } from './refuse.ts'

/** One call of a client: its message, checked, with its place among those of its frame. */
export type Call = TRPCRequestMessage & { id: string | number; batchIndex: number }

/** Makes the answers to the calls of all WebSockets. */
export function createCalls(onError: (source: string, error: Error, path: string) => void) {
  const followers = createFollowers((follower, cause) => {
    const { line, path } = follower
    onError(line.source, refuse(line, follower, { cause, type: 'subscription', path }), path)
    finish(follower)
  })

  function fail(line: Line, call: Call, cause: unknown) {
    const { method: type, params } = call
    onError(line.source, refuse(line, call, { cause, type, ...params }), params.path)
  }

  /** The client knows of it, and hears of its end. */
  function finish(follower: Follower) {
    const { line, id, jsonrpc } = follower
    followers.end(follower)
    line.followers.delete(id)
    say(line, { id, jsonrpc, result: { type: 'stopped' } })
  }

  return {
    /** Answers a query or a mutation; never rejects. */
    async answer(line: Line, call: Call): Promise<void> {
      const { id, jsonrpc } = call
      try {
        say(line, { id, jsonrpc, result: { type: 'data', data: await invoke(line, call) } })
      } catch (cause) {
        fail(line, call, cause)
      }
    },

    /** Lets a client follow a feed under the id of its call; never rejects. */
    async follow(line: Line, call: Call): Promise<void> {
      const { id, jsonrpc, params } = call
      if (line.followers.has(id)) {
        return fail(line, call, new TRPCError({ code: 'BAD_REQUEST', message: `Duplicate id ${id}` }))
      }
      const follower = toFollower(line, call)
      line.followers.set(id, follower)
      let isStarted = false
      try {
        const feed = await invoke(line, call)
        if (!isFeed(feed)) throw new Error(`${params.path} gave no feed`)
        // It was stopped, or cut off, before it began.
        if (follower.hasEnded || !isOpen(line)) return finish(follower)
        say(line, { id, jsonrpc, result: { type: 'started' } })
        isStarted = true
        followers.begin(follower, feed)
      } catch (cause) {
        fail(line, call, cause)
        if (isStarted) finish(follower)
        else line.followers.delete(id)
      }
    },

    /** Ends what a client follows under an id; what is still being let in ends then. */
    stop(line: Line, id: string | number): void {
      const follower = line.followers.get(id)
      if (follower?.feed) finish(follower)
      else if (follower) followers.end(follower)
    },

    /** Ends all that a client follows: it is gone. */
    leave(line: Line): void {
      for (const follower of line.followers.values()) followers.end(follower)
      line.followers.clear()
    },
  }
}

function invoke({ context }: Line, { method, params, batchIndex }: Call): Promise<unknown> {
  return callTRPCProcedure({
    router: appRouter,
    path: params.path,
    getRawInput: () => Promise.resolve(params.input),
    ctx: context,
    type: method,
    // Nothing but a feed that is iterated looks at it.
    signal: undefined,
    batchIndex,
  })
}

const toFollower = (line: Line, { id, jsonrpc, params }: Call): Follower => ({
  line,
  id,
  jsonrpc,
  path: params.path,
  feed: undefined,
  unhear: undefined,
  isHeld: false,
  hasEnded: false,
})
