import { describe, expect, test } from 'vitest'
import { draft, openPair } from '../harness/router.ts'

describe('messages.history', () => {
  test('shows the newest first, with the beginning of what was said', async () => {
    const { web, api, call, time } = await openPair()
    await web.caller.messages.send(draft('api', 'first'))
    time.now += 1_000
    await api.caller.messages.send(draft('web', `second ${'x'.repeat(500)}`))
    const { entries } = await call().messages.history({})
    expect(entries.map((entry) => [entry.from, entry.to, entry.text.slice(0, 6)])).toEqual([
      ['api@laptop', 'web@laptop', 'second'],
      ['web@laptop', 'api@laptop', 'first'],
    ])
    expect(entries[0]).toMatchObject({ chars: 507, text: expect.stringMatching(/^.{200}$/) })
  })

  test('goes back page by page', async () => {
    const { web, call } = await openPair()
    for (let count = 1; count <= 7; count++) await web.caller.messages.send(draft('api', `message ${count}`))
    const seen: string[] = []
    for (let before: number | undefined; ;) {
      const { entries } = await call().messages.history({ limit: 3, before })
      if (entries.length === 0) break
      seen.push(...entries.map((entry) => entry.text))
      before = entries.at(-1)!.messageId
    }
    expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1].map((count) => `message ${count}`))
  })

  test('loses no recipient where a page ends in the middle of a message', async () => {
    const { web, call, seat } = await openPair()
    for (const name of ['docs', 'ops']) await seat(name)
    for (const text of ['one', 'two']) await web.caller.messages.send(draft(['api', 'docs', 'ops'], text))
    const seen: string[] = []
    for (let before: number | undefined; ;) {
      const { entries } = await call().messages.history({ limit: 2, before })
      if (entries.length === 0) break
      seen.push(...entries.map((entry) => `${entry.text} ${entry.to}`))
      before = entries.at(-1)!.messageId
    }
    const expected = ['one', 'two'].flatMap((text) =>
      ['api', 'docs', 'ops'].map((to) => `${text} ${to}@laptop`),
    )
    expect(seen.toSorted()).toEqual(expected.toSorted())
    const { entries } = await call().messages.history({ limit: 1, with: 'ops' })
    expect(entries).toHaveLength(1)
  })

  test('of one peer shows what it sent and got, by any form of its address', async () => {
    const { web, api, call, seat } = await openPair()
    const docs = await seat('docs')
    await web.caller.messages.send(draft('api', 'to api'))
    await api.caller.messages.send(draft('docs', 'from api'))
    await docs.caller.messages.send(draft('web', 'without api'))
    for (const address of ['api', 'API@laptop', api.id]) {
      const { entries } = await call().messages.history({ with: address })
      expect(entries.map((entry) => entry.text)).toEqual(['from api', 'to api'])
    }
    await expect(call().messages.history({ with: 'nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('of a name means the hub’s own machine when a program asks that is no peer', async () => {
    const { web, call, seat } = await openPair()
    await seat('api', { machine: { id: 'machine-desktop', host: 'desktop' } })
    await web.caller.messages.send(draft('api', 'near'))
    await web.caller.messages.send(draft('api@desktop', 'far'))
    const { entries } = await call().messages.history({ with: 'api' })
    expect(entries.map((entry) => entry.text)).toEqual(['near'])
  })

  test('does not cut a character in two', async () => {
    const { web, call } = await openPair()
    await web.caller.messages.send(draft('api', `${'x'.repeat(199)}😀 and more`))
    const [entry] = (await call().messages.history({})).entries
    expect(entry!.text).toBe(`${'x'.repeat(199)}😀`)
  })
})
