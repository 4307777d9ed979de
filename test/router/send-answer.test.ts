import { expect, test } from 'vitest'
import { draft, openRouter } from '../harness/router.ts'

test('the answer of a send is what its status gives, also when other writes share its commit', async () => {
  const { seat, running } = openRouter()
  const [web, api, other] = [await seat('web'), await seat('api'), await seat('other')]
  running.set(api.id, false)
  const [, sent] = await Promise.all([api.caller.peers.leave(), web.caller.messages.send(draft('api'))])
  expect(sent.recipients).toEqual((await web.caller.messages.status(sent)).recipients)
  await other.caller.messages.send(draft('api', 'older'))
  const [two] = await Promise.all([
    web.caller.messages.send(draft('api', 'two')),
    api.caller.mailbox.consume({ budget: 9_000, overhead: 10 }),
  ])
  expect(two.recipients).toEqual((await web.caller.messages.status(two)).recipients)
})
