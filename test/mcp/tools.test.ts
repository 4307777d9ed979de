import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deliveryState } from '../../lib/router/shapes/messages.ts'
import { createHome, type Home } from '../harness/home.ts'
import { joinAs, type TestPeer } from '../harness/peer.ts'
import { startSession, type Session } from '../harness/session.ts'
import { waitFor } from '../harness/wait.ts'

/** What a session without a turn does, before and after its server has said so: some hooks have run here, some not yet. */
const WORDS =
  'online|online, no hook has run in it yet|online, gets mail only when it calls check_messages|idle, mail does not wake it'
const STATE = new RegExp(`: (${WORDS}) · `, 'g')
const ARRIVES =
  /^queued: (arrives at its next tool call(, prompt)? or turn end|no hook of claude-peers has run in it yet; .*)$/
const SENT = {
  message_id: expect.any(Number),
  recipients: [
    {
      to: 'api@laptop',
      state: 'queued',
      attempts: 0,
      detail: expect.stringMatching(ARRIVES),
    },
  ],
}

let home: Home
let web: Session
let api: Session
let worker: Session

beforeAll(async () => {
  home = await createHome({ install: true })
  const shop = await home.project('shop', { git: true })
  await home.project('shop/worker')
  web = await startSession(home, { cwd: await home.project('web', { git: true }) })
  api = await startSession(home, { cwd: await home.project('api', { git: true }) })
  worker = await startSession(home, { cwd: `${shop}/worker` })
  await waitFor(async () => !(await web.tool('list_peers')).text.includes('Gone'), 'everybody to be online')
})
afterAll(async () => {
  await using _home = home
  await Promise.all([web, api, worker].map((session) => session[Symbol.asyncDispose]()))
})

describe('list_peers', () => {
  test('says who you are and tells of each peer its address, place, branch and work', async () => {
    const { text, data } = await web.tool('list_peers')
    expect(text.replaceAll(STATE, ': ')).toBe(
      [
        `You are web@laptop: ~/web · branch main · Working on web (branch main)`,
        'Online:',
        `- shop@laptop: ~/shop/worker · branch main · Working on shop in worker (branch main)`,
        `- api@laptop: ~/api · branch main · Working on api (branch main)`,
      ].join('\n'),
    )
    expect(text.match(STATE)).toHaveLength(3)
    expect(data['you']).toMatchObject({
      address: 'web@laptop',
      state: expect.stringMatching(new RegExp(`^(${WORDS})$`)),
    })
    expect(data['peers']).toMatchObject([
      {
        address: 'shop@laptop',
        directory: `~/shop/worker`,
        repo: `~/shop`,
        state: expect.stringMatching(new RegExp(`^(${WORDS})$`)),
      },
      { address: 'api@laptop', directory: `~/api`, repo: `~/api`, branch: 'main' },
    ])
  })

  test('narrows to the machine, the directory and the repository', async () => {
    await using same = await startSession(home, { cwd: `${home.path}/shop` })
    const names = async (scope: string) => {
      const { data } = await worker.tool('list_peers', { scope })
      return (data['peers'] as { address: string }[]).map((peer) => peer.address.split('@')[0])
    }
    expect(await names('machine')).toEqual(expect.arrayContaining(['api', 'web', 'shop-2']))
    expect(await names('repo')).toEqual(['shop-2'])
    expect(await names('directory')).toEqual([])
    expect((await worker.tool('list_peers', { scope: 'directory' })).text).toContain('No other session')
    expect((await same.tool('list_peers')).text).toMatch(/^You are shop-2@laptop/)
  })

  test('shows waiting mail, the person apart from the sessions, and paths below the home with ~', async () => {
    await using odd = await startSession(home, { cwd: await home.project('r&d "lab"') })
    const { data } = await web.tool('send_message', { to: 'r-d-lab', message: 'hello' })
    await home.cli(['send', 'api', 'hello from the command line', '--fyi'])
    const { text, data: listed } = await web.tool('list_peers')
    expect(text.replaceAll(STATE, ': ')).toContain(
      `- r-d-lab@laptop: ~/r&d "lab" · Working on r&d "lab" · 1 message waits`,
    )
    expect(text).toContain('The person:\n- user@laptop')
    expect(text.match(/the person at laptop/g)).toHaveLength(1)
    expect(listed['peers']).toContainEqual(
      expect.objectContaining({ address: 'r-d-lab@laptop', directory: `~/r&d "lab"`, waiting: 1 }),
    )
    expect(await odd.deliver('Stop')).toContain('hello')
    await api.deliver('UserPromptSubmit')
    expect((await web.tool('message_status', { message_id: data['message_id'] })).text).toContain('delivered')
  })
})

test('list_peers tells of those online first, then of the newest that are gone, within bounds, and how many more', async () => {
  await using other = await createHome({ install: true })
  await using session = await startSession(other, { cwd: await other.project('web') })
  const gone: TestPeer[] = []
  for (let number = 10; number < 75; number++) gone.push(await joinAs(other, `gone-${number}`))
  await using _next = await startSession(other, { cwd: await other.project('zoo') })
  await waitFor(
    async () => (await session.tool('list_peers')).text.includes('Online:\n- zoo@'),
    'zoo to be online',
  )
  const { text, data } = await session.tool('list_peers')
  const listed = (data['peers'] as { address: string }[]).map((peer) => peer.address)
  expect(listed[0]).toBe('zoo@laptop')
  expect(JSON.stringify(data).length).toBeLessThan(11_000)
  expect(listed).toContain('gone-74@laptop')
  expect(listed).not.toContain('gone-10@laptop')
  const more = 66 - listed.length
  expect(data['more']).toMatch(
    new RegExp(`^and ${more} more \\(${more} gone\\), not listed: narrow the list with`),
  )
  expect(text).toContain(`\n- ${data['more'] as string}`)
  const found = await session.tool('list_peers', { search: 'GONE-10' })
  expect(found.data['peers']).toMatchObject([{ address: 'gone-10@laptop' }])
  await Promise.all(gone.map((peer) => peer[Symbol.asyncDispose]()))
})

describe('send_message', () => {
  test('returns the id and how the recipient will be reached', async () => {
    const { text, data } = await web.tool('send_message', { to: 'API@Laptop', message: 'hello' })
    expect(data).toEqual(SENT)
    const [first, second] = text.split('\n- api@laptop: ')
    expect(first).toBe(`Message ${String(data['message_id'])} is stored.`)
    expect(second).toMatch(ARRIVES)
    expect(await api.deliver('UserPromptSubmit')).toContain('hello')
  })

  test('reaches several peers at once, with a receipt for each', async () => {
    const { data } = await web.tool('send_message', { to: ['api', 'shop'], message: 'to both' })
    expect((data['recipients'] as { to: string }[]).map((one) => one.to)).toEqual(
      expect.arrayContaining(['api@laptop', 'shop@laptop']),
    )
    expect(await api.deliver('UserPromptSubmit')).toContain('to both')
    expect(await worker.deliver('UserPromptSubmit')).toContain('to both')
  })

  test('sends to nobody when one of several is unknown', async () => {
    const { isError, text } = await web.tool('send_message', {
      to: ['api', 'nobody'],
      message: 'all or none',
    })
    expect(isError).toBe(true)
    expect(text).toContain('Nobody is called "nobody"')
    expect(await api.deliver('UserPromptSubmit')).toBe('')
  })

  test('answers an unknown name with who is online', async () => {
    const { isError, text } = await web.tool('send_message', { to: 'nobody', message: 'hello' })
    expect(isError).toBe(true)
    expect(text).toMatch(/Nobody is called "nobody"\. Online are .*api@laptop.*shop@laptop/)
  })

  test('answers a name that two machines have with both addresses', async () => {
    const machine = (host: string) => ({ machine: { id: `machine-${host}`, host } })
    await using _one = await joinAs(home, 'docs', machine('desktop'))
    await using _two = await joinAs(home, 'docs', machine('server'))
    const { isError, text } = await web.tool('send_message', { to: 'docs', message: 'hello' })
    expect(isError).toBe(true)
    expect(text).toMatch(/"docs" could be docs@desktop .* or docs@server .*: use the full address/)
    const { data } = await web.tool('send_message', { to: 'docs@server', message: 'hello' })
    expect(data).toMatchObject({ recipients: [{ to: 'docs@server' }] })
  })

  test('answers with an error that is no frame, whatever it quotes', async () => {
    const { isError, text } = await web.tool('send_message', { to: 'x</peer-mail>\u001b[2J', message: 'x' })
    expect([isError, text]).toEqual([true, expect.stringContaining('"x&lt;/peer-mail>"')])
  })

  test.each([
    ['itself', { to: 'web', message: 'hello' }, /"web" is yourself: name another peer/],
    ['an empty message', { to: 'api', message: '' }, /the message is empty/],
    ['an empty address', { to: ' ', message: 'hello' }, /an address is empty/],
    ['no address at all', { message: 'hello' }, /from list_peers.* at to/],
    [
      'a message of 64 KiB and one byte',
      { to: 'api', message: 'x'.repeat(65_537) },
      /65537 bytes; the limit is 65536.*parts/,
    ],
    [
      'an unknown reply_to',
      { to: 'api', message: 'hello', reply_to: 4_000 },
      /reply_to 4000 is no message.*leave it out/,
    ],
    [
      'time for an answer to mail for information',
      { to: 'api', message: 'hello', urgency: 'fyi', expects_reply_within: 5 },
      /asks for no answer/,
    ],
    [
      'a time that is too long',
      { to: 'api', message: 'hello', expects_reply_within: 2_881 },
      /use whole minutes, 1 to 2880 \(48 hours\)/,
    ],
    ['an unknown urgency', { to: 'api', message: 'hello', urgency: 'now' }, /normal.*fyi/s],
  ])('refuses %s and says what to do', async (_, args, words) => {
    const { isError, text } = await web.tool('send_message', args)
    expect(isError).toBe(true)
    expect(text).toMatch(words)
    expect(text.length).toBeLessThan(400)
  })

  test.each([
    ['send_message', { to: 'api', message: 'x', urgancy: 'fyi' }, 'urgancy', /to, scope, message, reply_to/],
    ['send_message', { to: 'api', message: 'x', replyTo: 1 }, 'replyTo', /reply_to, expects_reply_within/],
    ['list_peers', { within: 'repo' }, 'within', /: scope\b/],
    ['message_status', { message_id: 1, id: 1 }, 'id', /: message_id\b/],
    ['set_summary', { summary: 'x', text: 'x' }, 'text', /: summary\b/],
    ['check_messages', { messageId: 1 }, 'messageId', /show, message_id, offset/],
  ])('refuses a parameter that %s does not have: %o', async (tool, args, name, known) => {
    const { isError, text } = await web.tool(tool, args)
    expect([isError, text]).toEqual([true, expect.stringContaining(`no parameter "${name}"`)])
    expect(text).toMatch(known)
    expect(await api.deliver('UserPromptSubmit')).toBe('')
  })

  test('carries 64 KiB exactly', async () => {
    const { isError, data } = await web.tool('send_message', { to: 'api', message: 'x'.repeat(65_536) })
    expect(isError).toBeUndefined()
    expect(await api.deliver('UserPromptSubmit')).toContain(`"message_id": ${String(data['message_id'])}`)
  })

  test('an answer carries the id of what it answers', async () => {
    const question = await web.tool('send_message', { to: 'api', message: 'which port?' })
    await api.deliver('UserPromptSubmit')
    const replyTo = question.data['message_id']
    await api.tool('send_message', { to: 'web', message: '4000', reply_to: replyTo })
    expect(await web.deliver('UserPromptSubmit')).toContain(`reply_to="${String(replyTo)}"`)
  })
})

describe('send_message to all', () => {
  test('reaches every session that runs on this machine, and says so', async () => {
    const { text, data } = await web.tool('send_message', { to: 'all', message: 'the network goes down' })
    const id = String(data['message_id'])
    expect(text).toMatch(
      new RegExp(
        `^Message ${id} is stored for the 2 other sessions that run on this machine now; closed ones get none\\.\n- `,
      ),
    )
    expect((data['recipients'] as { to: string }[]).map((one) => one.to).toSorted()).toEqual([
      'api@laptop',
      'shop@laptop',
    ])
    expect(await api.deliver('UserPromptSubmit')).toContain('to="all on its machine"')
    await worker.deliver('UserPromptSubmit')
  })

  test('narrows to a scope, where there may be nobody', async () => {
    const { isError, text } = await web.tool('send_message', { to: 'all', scope: 'repo', message: 'hello' })
    expect(isError).toBe(true)
    expect(text).toMatch(/No other session runs in this scope \(repo\).*wider scope/)
  })
})

describe('a conversation', () => {
  test('of a question: the asked is told, the answer is marked, and the status shows it', async () => {
    const asked = await web.tool('send_message', {
      to: 'api',
      message: 'how many?',
      expects_reply_within: 30,
    })
    const id = asked.data['message_id'] as number
    expect(asked.text).toMatch(/; an answer is awaited until \d\d:\d\d$/)
    expect(asked.data['recipients']).toMatchObject([
      { answer: expect.stringMatching(/^an answer is awaited/) },
    ])
    expect(await api.deliver('UserPromptSubmit')).toMatch(/ reply="awaited within 30 min, until \d\d:\d\d">/)

    const owed = await api.tool('check_messages', { show: 'unanswered' })
    expect(owed.text).toContain(`Others await your answer`)
    expect(owed.text).toContain(`- ${id} from web@laptop: "how many?" [an answer is awaited until`)
    const open = await web.tool('check_messages', { show: 'unanswered' })
    expect(open.text).toMatch(
      new RegExp(`You sent, and have no answer to:\n- ${id} to api@laptop: "how many\\?" \\[delivered at`),
    )

    const reply = await api.tool('send_message', { to: 'web', message: 'seven', reply_to: id })
    const replyId = reply.data['message_id'] as number
    const status = await web.tool('message_status', { message_id: id })
    expect(status.text).toMatch(new RegExp(`; answered by message ${replyId}: "seven"$`))
    expect(status.data['recipients']).toMatchObject([{ reply: { id: replyId, excerpt: 'seven' } }])
    const mail = await web.deliver('UserPromptSubmit')
    expect(mail).toContain(`reply_to="${id}" your_question="how many?" reply="not needed"`)
    expect((await api.tool('check_messages', { show: 'unanswered' })).text).not.toContain('how many?')
    const sent = await web.tool('check_messages', { show: 'sent' })
    expect(sent.data['message_ids']).toContain(id)
    expect(sent.text).toMatch(new RegExp(`^You sent, newest first:\n(- .*\n)*- ${id} to api@laptop`))
    expect(await web.deliver('Stop')).toBe('')
  })

  test('says the same thing once: a repetition is refused', async () => {
    const words = { to: 'api', message: 'thank you!' }
    await web.tool('send_message', words)
    const { isError, text } = await web.tool('send_message', words)
    expect([isError, text]).toEqual([true, expect.stringMatching(/the same text .* Say what is new/)])
    await api.deliver('UserPromptSubmit')
  })
})

describe('message_status', () => {
  test('names every state in which the model may find a message', async () => {
    const { tools } = await web.tools()
    const { description } = tools.find((tool) => tool.name === 'message_status')!
    const states = ['on its way', 'queued again', ...deliveryState.exclude(['offered']).options]
    for (const state of states) expect(description).toContain(state)
  })

  test('tells every step and its time, how it will arrive, and which message answers it', async () => {
    const { data } = await web.tool('send_message', { to: 'api', message: 'status?' })
    const args = { message_id: data['message_id'] }
    const queued = await web.tool('message_status', args)
    expect(queued.text).toMatch(/^Message \d+:\n- api@laptop: queued: arrives at its next/)
    await api.deliver('UserPromptSubmit')
    const delivered = await web.tool('message_status', args)
    expect(delivered.text).toMatch(
      /- api@laptop: delivered at \d\d:\d\d \(queued \d\d:\d\d → offered \d\d:\d\d → delivered \d\d:\d\d\)$/,
    )
    const arrived = { to: 'api@laptop', state: 'delivered', attempts: 1, queued_again: false }
    expect(delivered.data).toEqual({
      ...args,
      recipients: [
        {
          ...arrived,
          steps: expect.stringMatching(/^queued .* → offered .* → delivered /),
          detail: expect.stringMatching(/^delivered at/),
        },
      ],
    })
    const reply = await api.tool('send_message', {
      to: 'web',
      message: 'fine',
      reply_to: data['message_id'],
    })
    const answered = await web.tool('message_status', args)
    expect(answered.data['recipients']).toMatchObject([
      { reply: { id: reply.data['message_id'], excerpt: 'fine' } },
    ])
    expect(answered.text).toContain(`; answered by message ${String(reply.data['message_id'])}: "fine"`)
    expect(await web.deliver('UserPromptSubmit')).toContain('fine')
  })

  test('knows only what this session sent', async () => {
    const { data } = await web.tool('send_message', { to: 'api', message: 'mine' })
    const { isError, text } = await worker.tool('message_status', { message_id: data['message_id'] })
    expect(isError).toBe(true)
    expect(text).toContain('You sent no message')
    await api.deliver('UserPromptSubmit')
  })
})

test('set_summary is what others see from then on', async () => {
  const { text, data } = await api.tool('set_summary', { summary: '  porting the\nserver ' })
  expect(text).toBe('Others now see you, api@laptop, with: porting the server')
  expect(data['you']).toMatchObject({ summary: 'porting the server' })
  expect((await web.tool('list_peers')).text).toContain('branch main · porting the server')
  const long = await api.tool('set_summary', { summary: 'x'.repeat(501) })
  expect(long).toMatchObject({ isError: true, text: expect.stringMatching(/500/) })
})

describe('what the model reads of the server', () => {
  test('stays below 6,000 characters, its instructions below 2,048', async () => {
    const { tools } = await web.tools()
    const seen = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }))
    expect(web.instructions.length).toBeLessThan(2_048)
    expect(web.instructions.length + JSON.stringify(seen).length).toBeLessThan(6_000)
  })

  test('is five tools with titles, annotations and output schemas', async () => {
    const { tools } = await web.tools()
    expect(tools.map((tool) => tool.name)).toEqual([
      'list_peers',
      'send_message',
      'message_status',
      'set_summary',
      'check_messages',
    ])
    for (const tool of tools) {
      expect(tool).toMatchObject({ title: expect.any(String), outputSchema: { type: 'object' } })
      expect(tool.annotations).toMatchObject({ readOnlyHint: expect.any(Boolean), openWorldHint: false })
    }
  })

  test.each([
    ['list_peers', ['session', 'agent', 'terminal', 'Claude', 'peer', 'machine']],
    ['send_message', ['session', 'agent', 'terminal', 'Claude', 'peer', 'message', 'ask', 'reply', 'all']],
    ['message_status', ['message', 'delivered', 'session', 'read']],
    ['set_summary', ['session', 'working on']],
    ['check_messages', ['message', 'mail', 'inbox', 'session', 'sent', 'unanswered']],
  ])('%s is found by the words a user would say', async (name, words) => {
    const { tools } = await web.tools()
    const { description } = tools.find((tool) => tool.name === name)!
    for (const word of words) expect(description).toContain(word)
  })
})
