import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toOwnCommand } from '../../apps/cli/own-words.ts'
import { PACKAGE_ROOT } from '../../lib/machine/package.ts'
import { createHome, type Home } from '../harness/home.ts'
import { joinAs, type TestPeer } from '../harness/peer.ts'
import { startSession, type Session } from '../harness/session.ts'
import { startFrom } from '../harness/starter.ts'
import { waitFor } from '../harness/wait.ts'
import { BIN } from './program.ts'

const sh = promisify(execFile)
/** How the home’s person runs this checkout, which is on no PATH there. */
const own = () => toOwnCommand({ env: home.env, cwd: home.path, root: PACKAGE_ROOT })

let home: Home
let api: Session
let web: TestPeer
beforeAll(async () => {
  home = await createHome({ install: true })
  api = await startSession(home, { cwd: await home.project('api', { git: true }) })
  web = await joinAs(home, 'web')
  await waitFor(
    async () => (await home.cli(['status'])).stdout.includes('Online: 1'),
    'the session to be online',
  )
})
afterAll(async () => {
  await using _home = home
  await using _api = api
  await web[Symbol.asyncDispose]()
})

/** What a command prints, when it ends well. */
async function run(args: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await home.cli(args, { ...(input !== undefined && { input }) })
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

const json = async <T>(args: string[], input?: string) =>
  JSON.parse(await run([...args, '--json'], input)) as T

describe('status and peers', () => {
  test('tell of the hub and of everybody', async () => {
    const { url, pid } = await home.rendezvous()
    expect((await run(['status'])).replace(/: online(, no hook has run in it yet)? · /, ': ')).toBe(
      [
        `Hub 3.0.0 at ${url}, pid ${pid}, started just now`,
        `Database: ~/.claude-peers.db`,
        'Mail: 0 messages wait',
        'Online: 1',
        `- api@laptop: ~/api · branch main · Working on api (branch main)`,
        '',
      ].join('\n'),
    )
    expect(await run(['peers'])).toMatch(
      /^● api@laptop: online(, no hook has run in it yet)? · .*\n○ web@laptop: gone since \d\d:\d\d · \/peers\/web\n$/,
    )
  })

  test('print JSON for programs', async () => {
    const { url, pid } = await home.rendezvous()
    expect(await json(['status'])).toMatchObject({
      running: true,
      url,
      pid,
      peers: { online: 1 },
      list: [{ name: 'api', state: 'online' }, { name: 'web' }],
    })
    expect(await json(['peers'])).toMatchObject([{ address: 'api@laptop' }, { address: 'web@laptop' }])
  })
})

describe('send', () => {
  test('says that the message is stored, and how it will arrive', async () => {
    expect(await run(['send', 'api', 'two', 'words'])).toMatch(
      /^Message \d+ is stored\.\n- api@laptop: queued: (arrives at its next tool call, prompt or turn end|no hook of claude-peers has run in it yet; .*)\n$/,
    )
    const text = await api.deliver('UserPromptSubmit')
    expect(text).toContain('\ntwo words\n')
    expect(text).toContain('from="user@laptop"')
    expect(text).toContain('A message from the command line of the same person')
  })

  test.each([
    ['nothing', ['send', 'api']],
    ['a dash', ['send', 'api', '-']],
  ])('reads standard input where %s stands for the message', async (_, args) => {
    await run(args, `${args.length} args\n  line two\n\n`)
    expect(await api.deliver('UserPromptSubmit')).toContain(
      `\n${args.length} args\n  line two\n</peer-message>`,
    )
  })

  test('takes words that look like options behind a double dash', async () => {
    await run(['send', 'api', '--', '--json', '-n'])
    expect(await api.deliver('UserPromptSubmit')).toContain('\n--json -n\n')
  })

  test('sends to several, for information, as an answer, and tells programs', async () => {
    const id = await web.send('user', 'shall I?')
    const sent = await json<{ messageId: number; recipients: { to: string }[] }>([
      'send',
      'api, web@laptop',
      'yes',
      '--fyi',
      '--reply-to',
      String(id),
    ])
    expect(sent.recipients.map((one) => one.to).toSorted()).toEqual(['api@laptop', 'web@laptop'])
    const text = await waitFor(() => api.deliver('PostToolUse'), 'the mail')
    expect(text).toContain(`reply_to="${id}" urgency="fyi"`)
    expect(await run(['send', 'api', 'x', '--fyi'])).toContain(
      'arrives at its next tool call or prompt; kept until ',
    )
    await api.deliver('UserPromptSubmit')
    await run(['inbox'])
  })

  test.each([
    ['an unknown name', 1, ['send', 'nobody', 'x'], /Nobody is called "nobody"\. Online are api@laptop/],
    ['several of which one is unknown', 1, ['send', 'api,nobody', 'x'], /Nobody is called "nobody"/],
    ['an empty address', 2, ['send', 'api,', 'x'], /An address is empty: name a session/],
    ['all and somebody', 1, ['send', 'all,api', 'x'], /"all" stands alone/],
    [
      'too long a time',
      2,
      ['send', 'api', 'x', '--expects-reply-within', '3000'],
      /: --expects-reply-within: use whole minutes, 1 to 2880/,
    ],
    [
      'a question for information only',
      2,
      ['send', 'api', 'x', '--fyi', '--expects-reply-within', '5'],
      /: --fyi asks for no answer: leave out --fyi or --expects-reply-within\./,
    ],
    ['no message', 2, ['send', 'api'], /Standard input was empty/],
    ['itself', 1, ['send', 'user', 'x'], /"user" is yourself: name another peer/],
    ['too much', 1, ['send', 'api', 'x'.repeat(65_537)], /the limit is 65536/],
    ['an answer to nothing', 1, ['send', 'api', 'x', '--reply-to', '4000'], /reply_to 4000 is no message/],
  ])('fails and says why: %s, with %i', async (_, exit, args, words) => {
    const { code, stdout, stderr } = await home.cli(args)
    expect([code, stdout]).toEqual([exit, ''])
    expect(stderr).toMatch(words)
    expect(stderr).toMatch(/^claude-peers: .*\n$/)
    expect(await api.deliver('UserPromptSubmit')).toBe('')
  })
})

test('an error shows no control character of what it quotes', async () => {
  const { stderr } = await home.cli(['send', 'user\u001b[2J\u009b31m\u202e', 'x'])
  expect(stderr).toContain('Nobody is called "user"')
  const { stderr: own } = await home.cli(['send', 'user@\u009b\u202elaptop', 'x'])
  expect(own).toContain('"user@laptop" is yourself')
  for (const said of [stderr, own]) expect(said).not.toMatch(/[\p{Cc}\p{Cf}](?!$)/u)
})

describe('send to all', () => {
  test('reaches the sessions that run, says how many, and gets a receipt of each', async () => {
    expect(await run(['send', 'all', 'rebooting soon'])).toMatch(
      /^Message \d+ is stored for the one other session that runs on this machine now; closed ones get none\.\n- api@laptop: queued: .*\n$/,
    )
    expect(await api.deliver('UserPromptSubmit')).toContain('\nrebooting soon\n')
  })
})

describe('inbox', () => {
  test('reads an answer once, and its receipt is delivered then', async () => {
    const { messageId } = await json<{ messageId: number }>(['send', 'api', 'which port?'])
    await api.deliver('UserPromptSubmit')
    const reply = { to: 'user@laptop', message: '4000\u001b[2J, and more', reply_to: messageId }
    const { data, text } = await api.tool('send_message', reply)
    expect(text).toContain('waits for the person, who reads it with "claude-peers inbox"')
    const id = data['message_id'] as number
    expect(await run(['inbox', '--peek'])).toContain(
      `── ${id} from api@laptop, just now, answers ${messageId}`,
    )
    const status = async () => (await api.tool('message_status', { message_id: id })).text
    expect(await status()).toContain('queued')
    expect(await run(['inbox'])).toBe(
      [
        `── ${id} from api@laptop, just now, answers ${messageId} "which port?"`,
        '│ 4000, and more',
        '',
        `Answer with: ${own()} send --reply-to <id> <name> <message>`,
        '',
      ].join('\n'),
    )
    expect(await status()).toContain('delivered at')
    expect(await run(['inbox'])).toBe('No mail.\n')
  })

  test('shows a body beside a line, where it can forge no head, with its brackets as they are', async () => {
    const words = 'if (a <user) {}\n\n── 7 from ops@vm, just now\u2028── 8 from ops@vm\r── 9 from ops@vm'
    const id = await web.send('user', words)
    const heads = ['7', '8', '9'].map((number) => `│ ── ${number} from ops@vm`)
    expect(await run(['inbox'])).toBe(
      [
        `── ${id} from web@laptop, just now`,
        '│ if (a <user) {}',
        '│ ',
        `${heads[0]}, just now`,
        ...heads.slice(1),
        '',
        `Answer with: ${own()} send --reply-to <id> <name> <message>`,
        '',
      ].join('\n'),
    )
  })

  test('does not say how to answer where only a note came, which nobody can', async () => {
    const args = ['send', 'web', 'which port?', '--expects-reply-within', '60']
    const { messageId } = await json<{ messageId: number }>(args)
    await home.stopHub()
    const sqlite = new Sqlite(`${home.path}/.claude-peers.db`)
    sqlite.prepare('update deliveries set reply_by = queued_at where message_id = ?').run(messageId)
    sqlite.close()
    await startFrom(home)
    const text = await waitFor(async () => {
      const printed = await run(['inbox'])
      return printed.startsWith('No mail') ? undefined : printed
    }, 'the note')
    expect(text).toContain(`about ${messageId}`)
    expect(text).not.toContain('Answer with')
  })

  test('tells programs, without what would steer a terminal', async () => {
    const raw = '\u009b31m \u202e 🙂 \u{e0041}'
    await web.send('user', raw)
    const printed = await run(['inbox', '--json'])
    expect(printed).toContain('\\u009b31m \\u202e 🙂 \\udb40\\udc41')
    expect(JSON.parse(printed)).toMatchObject([{ text: raw }])
    const peek = async () => run(['peers', '--json'])
    await web.hub.peers.setSummary.mutate({ summary: raw })
    expect(await peek()).not.toMatch(/[\u007f-\u009f\u202a-\u202e]/)
    expect(JSON.parse(await peek())).toContainEqual(expect.objectContaining({ summary: raw }))
  })

  test('tells programs', async () => {
    const id = await web.send('user', 'for a program')
    expect(await json(['inbox'])).toMatchObject([{ id, from: 'web@laptop', text: 'for a program' }])
    expect(await json(['inbox'])).toEqual([])
  })

  test('shows everything, however much it is', async () => {
    const ids: number[] = []
    for (let index = 0; index < 20; index++) ids.push(await web.send('user', `${index}`.padEnd(60_000, '.')))
    const mail = await json<{ id: number }[]>(['inbox'])
    expect(mail.map((one) => one.id)).toEqual(ids)
    for (const id of ids) expect(await web.stateOf(id)).toBe('delivered')
  })

  test('counts as read only what could be printed', async () => {
    const id = await web.send('user', 'x'.repeat(65_536))
    for (let index = 0; index < 4; index++) await web.send('user', `${index}`.repeat(65_536))
    const command = `"$1" "$2" inbox | head -c 10; exit "$(echo 0)"`
    const { stdout, stderr } = await sh('/bin/sh', ['-c', command, 'sh', process.execPath, BIN], {
      env: home.env,
    })
    expect([Buffer.byteLength(stdout), stderr]).toEqual([10, ''])
    expect(await web.stateOf(id)).toBe('offered')
    expect(await run(['inbox'])).toMatch(
      /^\d taken by another reader just now: try again in half a minute\.\n$/,
    )
  })
})

describe('message', () => {
  test('shows each step of a message with its time, and its answer', async () => {
    const first = await web.send('api', 'how\nare you?', { urgency: 'fyi' })
    expect(await run(['message', String(first)])).toMatch(
      new RegExp(
        `^Message ${first} from web@laptop, \\d\\d:\\d\\d \\(12 characters, for information\\)\n│ how\n│ are you\\?\n` +
          '- api@laptop: queued: arrives at its next tool call or prompt; kept until .*\n  queued \\d\\d:\\d\\d\n$',
      ),
    )
    await api.deliver('UserPromptSubmit')
    await web.as(api.card()!.key).mailbox.requeue.mutate({ ids: [first], why: 'dropped' })
    expect(await run(['message', String(first)])).toMatch(
      /- api@laptop: queued again since .*\n  queued .* → offered .* → queued again \d\d:\d\d\n$/,
    )
    await web.as(api.card()!.key).mailbox.confirm.mutate({ ids: [first] })
    const answer = await api.tool('send_message', { to: 'web', message: 'well', reply_to: first })
    const reply = Number(answer.data['message_id'])
    expect(await run(['message', String(first)])).toMatch(
      new RegExp(`- api@laptop: read at .*; answered by message ${reply}: "well"\n.* → delivered .* → read `),
    )
    expect(await json(['message', String(first)])).toMatchObject({
      messageId: first,
      recipients: [
        {
          state: 'read',
          attempts: 1,
          requeuedAt: expect.any(Number),
          reply: { id: reply, excerpt: 'well' },
        },
      ],
    })
    expect(await run(['message', String(reply)])).toContain(`answers ${first}`)
  })

  test('says that there is none of that number', async () => {
    const { code, stdout, stderr } = await home.cli(['message', '4711'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('There is no message 4711')
  })
})

describe('log', () => {
  test('shows the newest last, each message on one line', async () => {
    const first = await web.send('api', 'one\ntwo \u001b[31mred\u001b[0m </peer-mail>')
    const second = await web.send('api', 'y'.repeat(500), { replyTo: first })
    await api.deliver('UserPromptSubmit')
    const lines = (await run(['log', '--limit', '2'])).trimEnd().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(
        new RegExp(
          `^\\d\\d:\\d\\d  ${first}  web@laptop → api@laptop  \\[delivered at \\d\\d:\\d\\d\\]  one two red `,
        ),
      ),
      expect.stringMatching(
        new RegExp(` ${second} \\(answers ${first}\\)  web@laptop → api@laptop .* y{99}…$`),
      ),
    ])
  })

  test('shows what was answered, and by what', async () => {
    const question = await web.send('api', 'and the branch?')
    await api.deliver('UserPromptSubmit')
    const { data } = await api.tool('send_message', { to: 'web@laptop', message: 'main', reply_to: question })
    expect(await run(['log', '--limit', '2'])).toMatch(
      new RegExp(
        ` ${question}  web@laptop → api@laptop  \\[delivered at \\d\\d:\\d\\d; answered by ${String(data['message_id'])}\\] `,
      ),
    )
  })

  test('narrows to one peer, and tells programs', async () => {
    const entries = await json<{ from: string; to: string }[]>(['log', '--with', 'user'])
    expect(entries.length).toBeGreaterThan(5)
    for (const { from, to } of entries) expect([from, to]).toContain('user@laptop')
    const { code, stderr } = await home.cli(['log', '--with', 'nobody'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('Nobody is called "nobody"')])
  })

  test('ends quietly when nobody reads on', async () => {
    const command = '"$1" "$2" log -n 500 | head -n 1'
    const { stdout, stderr } = await sh('/bin/sh', ['-c', command, 'sh', process.execPath, BIN], {
      env: home.env,
    })
    expect([stdout.split('\n').length, stderr]).toEqual([2, ''])
  })
})
