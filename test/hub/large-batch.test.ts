import { expect, test } from 'vitest'
import { takeSeat } from '../harness/hub.ts'
import { exchange } from '../harness/raw.ts'
import { openServer } from '../harness/server.ts'

test('a batch of large answers ends with refusals, and what it asks for fits by itself', async () => {
  await using server = await openServer()
  server.serve()
  for (let index = 0; index < 10; index++) {
    const directory = `/${'d'.repeat(4_000)}/${index}`
    await takeSeat(server, `seat-${index}`, { directory, root: `/${'r'.repeat(4_000)}/${index}` })
  }
  const headers = { authorization: `Bearer ${server.token}` }
  const ask = (paths: string[]) =>
    exchange(`${server.url}/trpc/${paths.join(',')}?batch=1`, { headers }).then(({ status, body }) => ({
      status,
      answers: JSON.parse(body) as { result?: unknown; error?: { message: string } }[],
    }))
  // Each page of the list is 60 KB.
  const { status, answers } = await ask(Array.from({ length: 250 }, () => 'peers.list'))
  expect(status).toBe(207)
  const refused = answers.filter(({ error }) => error?.message.includes('ask for it by itself'))
  const answered = answers.slice(0, 250 - refused.length)
  expect(answered.every(({ result }) => result !== undefined)).toBe(true)
  const length = JSON.stringify(answered).length
  expect([length > 8 * 1_024 * 1_024, length < 8.2 * 1_024 * 1_024]).toEqual([true, true])
  expect((await ask(['hub.health', 'peers.list'])).status).toBe(200)
})
