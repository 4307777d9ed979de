/** A program of the benchmark in a process of its own, driven over a channel. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { toCaller } from '../lib/probe/calls.ts'

export type Child = AsyncDisposable & {
  pid: number
  call: ReturnType<typeof toCaller>
}

/** Starts a script of this directory that answers calls and ends with its channel. */
export function startChild(script: string, args: string[] = []): Child {
  const child = fork(join(import.meta.dirname, script), args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  return {
    pid: child.pid!,
    call: toCaller(child),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
