import { describe, expect, test } from 'vitest'
import { draft, openRouter } from '../harness/router.ts'

const desktop = { id: 'machine-desktop', host: 'desktop' }
const server = { id: 'machine-server', host: 'Server.example.com' }

describe('an address', () => {
  test('that is a name means the sender’s own machine first', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    const here = await seat('api')
    await seat('api', { machine: desktop })
    const { recipients } = await web.caller.messages.send(draft('api'))
    expect(recipients).toMatchObject([{ to: 'api@laptop' }])
    expect(here.name).toBe('api')
  })

  test('that is a name means the one peer of the network with it', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    await seat('api', { machine: desktop })
    expect((await web.caller.messages.send(draft('api'))).recipients).toMatchObject([{ to: 'api@desktop' }])
  })

  test('that several machines share is refused with every candidate and what to do', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    const one = await seat('api', { machine: desktop })
    const other = await seat('api', { machine: server, directory: '/srv/api' })
    await expect(web.caller.messages.send(draft('api'))).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: `"api" could be api@desktop (${one.id}, /src/api) or api@server-example-com (${other.id}, /srv/api): use the full address or the id.`,
    })
  })

  test('that several share is refused in a readable length, without the raw words of a peer', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    const directory = `/src/${'d'.repeat(60)}\u001b[2J</peer-mail>\u202e${'x'.repeat(3_000)}/api`
    for (let number = 0; number < 14; number++) {
      await seat('api', { machine: { id: `machine-${number + 10}`, host: `far-${number}` }, directory })
    }
    const said = await web.caller.messages.send(draft('api')).catch((cause: Error) => cause.message)
    expect(said).toMatch(
      /^"api" could be api@far-0 \(p_\w+, \/src\/d+&lt;\/peer-mail>x+…\) or .* or 4 more: use /,
    )
    expect(said).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect((said as string).length).toBeLessThan(2_000)
  })

  test('with a host means that machine, also when the own one has the name', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    await seat('api')
    await seat('api', { machine: desktop })
    expect((await web.caller.messages.send(draft('api@desktop'))).recipients).toMatchObject([
      { to: 'api@desktop' },
    ])
  })

  test('with a host as that machine calls itself means it', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    await seat('api', { machine: server })
    for (const to of ['api@Server.example.com', 'api@server-example-com']) {
      expect((await web.caller.messages.send(draft(to))).recipients).toMatchObject([
        { to: 'api@server-example-com' },
      ])
    }
  })

  test('with a host that two machines call themselves is refused with the ids', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    const one = await seat('api', { machine: desktop })
    const other = await seat('api', { machine: { ...desktop, id: 'machine-desktop-2' } })
    const failing = web.caller.messages.send(draft('api@desktop'))
    await expect(failing).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(failing).rejects.toThrow(one.id)
    await expect(failing).rejects.toThrow(other.id)
    await expect(failing).rejects.toThrow(/: use the id\.$/)
  })

  test.each(['API', ' api ', 'Api@LAPTOP', 'api@laptop'])('is the same in any case: %s', async (address) => {
    const { seat } = openRouter()
    const web = await seat('web')
    await seat('api')
    expect((await web.caller.messages.send(draft(address))).recipients).toMatchObject([{ to: 'api@laptop' }])
  })

  test('that is an id needs nothing else, in any case', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    await seat('api')
    const far = await seat('api', { machine: desktop })
    for (const id of [far.id, far.id.toUpperCase()]) {
      expect((await web.caller.messages.send(draft(id))).recipients).toMatchObject([{ to: 'api@desktop' }])
    }
  })

  test('that nobody has is refused with who is online', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    await seat('api')
    await seat('gone', { online: false })
    await expect(web.caller.messages.send(draft('nobody'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message:
        'Nobody is called "nobody". Online are api@laptop, web@laptop. Gone, but mail reaches them: gone@laptop.',
    })
  })

  test.each([
    ['biling', 'billing'],
    ['Billing2', 'billing'],
    ['biling@laptop', 'billing@laptop'],
  ])('that nobody has, such as %s, is refused with the nearest one', async (typed, meant) => {
    const { seat } = openRouter()
    const web = await seat('web')
    await seat('billing')
    await expect(web.caller.messages.send(draft(typed))).rejects.toMatchObject({
      message: expect.stringContaining(`Did you mean "${meant}"?`),
    })
  })

  test('that nobody has is refused in a readable length when many are online', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    for (let number = 0; number < 14; number++) await seat(`other-${number}`)
    await expect(web.caller.messages.send(draft('x'.repeat(300)))).rejects.toThrow(
      /…"\. Online are .* and 5 more\.$/,
    )
  })

  test.each(['web, user', '["web","user"]'])('that is several in one is refused with how: %s', async (to) => {
    const { seat } = openRouter()
    const web = await seat('web')
    await expect(web.caller.messages.send(draft(to))).rejects.toThrow(
      /\. For several peers, give a list of addresses\.$/,
    )
  })

  test('that nobody has, when nobody is online, is refused', async () => {
    const { seat } = openRouter()
    const web = await seat('web', { online: false })
    await expect(web.caller.messages.send(draft('p_0000000000000'))).rejects.toThrow(
      'Nobody is called "p_0000000000000". No session is online. Gone, but mail reaches them: web@laptop.',
    )
  })

  test.each(['@', '@laptop', 'api@', 'api@@laptop', 'a b', '%', "api' or 1=1", '*', '__proto__'])(
    'that is nonsense is refused: %s',
    async (address) => {
      const { seat } = openRouter()
      const web = await seat('web')
      await seat('api')
      await expect(web.caller.messages.send(draft(address))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    },
  )

  test('that is empty is refused', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    for (const to of ['', '   ', []])
      await expect(web.caller.messages.send(draft(to))).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('that is the sender’s own is refused', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    for (const to of ['web', 'web@laptop', web.id]) {
      await expect(web.caller.messages.send(draft(to))).rejects.toThrow(
        `"${to}" is yourself: name another peer.`,
      )
    }
  })

  test('of the person at a machine means that machine’s, and the own one without a host', async () => {
    const { seat, call } = openRouter()
    const web = await seat('web')
    for (const machine of [{ id: 'machine-home', host: 'laptop' }, desktop]) {
      await call().peers.register({
        machine,
        kind: 'user',
        directory: '/',
        root: '/',
        isRepo: false,
        summary: '',
      })
    }
    expect((await web.caller.messages.send(draft('user'))).recipients).toMatchObject([{ to: 'user@laptop' }])
    expect((await web.caller.messages.send(draft('user@desktop'))).recipients).toMatchObject([
      { to: 'user@desktop' },
    ])
  })

  test('of several peers, given twice in several forms, reaches each once', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    const api = await seat('api')
    await seat('docs')
    const { recipients } = await web.caller.messages.send(draft(['api', 'api@laptop', api.id, 'docs']))
    expect(recipients.map((one) => one.to).toSorted()).toEqual(['api@laptop', 'docs@laptop'])
  })

  test('that cannot be resolved stops the whole message', async () => {
    const { seat } = openRouter()
    const web = await seat('web')
    const api = await seat('api')
    await expect(web.caller.messages.send(draft(['api', 'nobody']))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    expect((await api.caller.mailbox.peek()).messages).toEqual([])
  })
})
