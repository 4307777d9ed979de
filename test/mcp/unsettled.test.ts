import { TRPCClientError } from '@trpc/client'
import { expect, test } from 'vitest'
import { NoAnswerError } from '../../lib/client/no-answer.ts'
import { createUnsettled } from '../../apps/mcp/tools/unsettled.ts'

// As the client gives it.
const lost = () => Promise.reject(TRPCClientError.from(new NoAnswerError('The hub did not answer.')))

function open() {
  const clock = { now: 0 }
  const settle = createUnsettled(() => clock.now)
  const keyOf = (call: object) => settle(call, async (key) => key)
  return { clock, settle, keyOf }
}

test('a call whose outcome is unknown says so, and has the same key when it is made again', async () => {
  const { settle, keyOf } = open()
  let key = ''
  const failed = settle({ to: 'api' }, (given) => ((key = given), lost()))
  await expect(failed).rejects.toThrow(
    'It is not known whether the message is stored: send the very same again',
  )
  expect(await keyOf({ to: 'web' })).not.toBe(key)
  expect(await keyOf({ to: 'api' })).toBe(key)
  expect(await keyOf({ to: 'api' })).not.toBe(key)
})

test('a call that the hub refused is settled', async () => {
  const { settle, keyOf } = open()
  let key = ''
  const data = { code: 'NOT_FOUND' }
  const refusal = TRPCClientError.from({ error: { message: 'no such peer', code: -32004, data } })
  await expect(settle({ to: 'api' }, (given) => ((key = given), Promise.reject(refusal)))).rejects.toBe(
    refusal,
  )
  expect(await keyOf({ to: 'api' })).not.toBe(key)
})

test('who says the same ten minutes later means it anew', async () => {
  const { clock, settle, keyOf } = open()
  let key = ''
  await settle({ to: 'api' }, (given) => ((key = given), lost())).catch(() => undefined)
  clock.now += 10 * 60_000
  expect(await keyOf({ to: 'api' })).not.toBe(key)
})
