import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { toCaller } from '../../lib/probe/calls.ts'
import { toFork } from '../harness/home.ts'
import type { RawAnswer } from '../harness/raw.ts'
import type { NetworkHost } from './network.ts'

/** A program on one computer of a network that asks what any other program there could ask. */
export type Agent = AsyncDisposable & {
  exchange(
    url: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string },
  ): Promise<RawAnswer>
  /** Everything that the other side says to these bytes until it hangs up. */
  converse(url: string, bytes: string): Promise<string>
  /** Opens a WebSocket; `ended` settles with the code that it was closed with. */
  openSocket(
    url: string,
    headers?: Record<string, string>,
  ): Promise<{ status?: number; ended: () => Promise<number> }>
}

/** Starts an agent on a computer, with nothing in its environment. */
export function startAgent({ enter }: Pick<NetworkHost, 'enter'>): Agent {
  const child = fork(join(import.meta.dirname, 'agent-process.ts'), {
    ...toFork(enter),
    env: {},
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const call = toCaller(child)
  const exited = once(child, 'exit')
  return {
    exchange: (url, options = {}) => call('exchange', { url, ...options }),
    converse: (url, bytes) => call('converse', { url, bytes }),
    async openSocket(url, headers = {}) {
      const { status, number } = await call<{ status?: number; number?: number }>('openSocket', {
        url,
        headers,
      })
      return {
        ...(status !== undefined && { status }),
        ended: () => call<number>('socketEnd', { number }),
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
