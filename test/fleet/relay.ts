import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { toFork } from '../harness/home.ts'
import { PORT } from './machine.ts'
import type { NetworkHost } from './network.ts'

export type RelayOptions = { to: NetworkHost; seed: number; delayMs: number; lossPercent: number }

/** Runs a slow way to the hub of another computer on this one, and waits until it is open. */
export async function startRelay(
  { enter, address: from }: NetworkHost,
  { to: { address: to }, ...rest }: RelayOptions,
): Promise<AsyncDisposable> {
  const options = JSON.stringify({ from, to, port: PORT, ...rest })
  const child = fork(join(import.meta.dirname, 'relay-process.ts'), [options], { ...toFork(enter), env: {} })
  const exited = once(child, 'exit')
  await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error('the relay ended'))),
  ])
  return {
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
