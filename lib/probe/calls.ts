/** Calls over the channel between a process and its child: how a stand-in for a Claude Code process is driven. */
import type { ChildProcess } from 'node:child_process'

type Methods = Record<string, (params: never) => unknown>
type Call = { id: number; method: string; params: never }
type Answer = { id: number; value?: unknown; error?: string }

/** Answers the parent's calls; resolves when the parent has gone. */
export function answerCalls(methods: Methods): Promise<void> {
  process.on('message', (call: Call) => {
    const answer = (rest: Omit<Answer, 'id'>) => process.connected && process.send!({ id: call.id, ...rest })
    new Promise((resolve) => resolve(methods[call.method]!(call.params))).then(
      (value) => answer({ value }),
      (cause: Error) => answer({ error: cause.message }),
    )
  })
  return new Promise((resolve) => process.once('disconnect', () => resolve()))
}

/** Makes the parent's side. A call rejects with the error of the method, or when the child ends during it. */
export function toCaller(child: ChildProcess): <T>(method: string, params?: unknown) => Promise<T> {
  let last = 0
  return <T>(method: string, params: unknown = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      if (!child.connected) return reject(new Error('the session has ended'))
      const id = ++last
      const onExit = () => reject(new Error(`the session ended during ${method}`))
      const onMessage = (message: Answer) => {
        if (message.id !== id) return
        child.off('message', onMessage).off('exit', onExit)
        if (message.error === undefined) resolve(message.value as T)
        else reject(new Error(message.error))
      }
      child.on('message', onMessage).once('exit', onExit)
      child.send({ id, method, params })
    })
}
