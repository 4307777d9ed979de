import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { Notification } from '../../apps/hub/notification.ts'
import { createNotifier, PAUSE_MS, SETTLE_MS } from '../../apps/hub/notifier.ts'
import type { Told } from '../../apps/hub/tell.ts'
import { NOTIFY_AFTER_MS } from '../../lib/db/limits.ts'
import { readConfig } from '../../lib/machine/config.ts'
import { makeDirectory } from '../db/harness.ts'
import { createHome } from '../harness/home.ts'
import { openHub, takeSeat } from '../harness/hub.ts'
import { draft, HOME_MACHINE, openRouter } from '../harness/router.ts'
import { waitFor } from '../harness/wait.ts'

const IDLE = { activity: 'idle', wakeable: false, headless: false } as const
const BUSY = { ...IDLE, activity: 'busy' } as const

/** The notifier alone: the test owns the time, who is connected, and what telling does. */
async function openNotifier({ told = {} }: { told?: Partial<Told> } = {}) {
  const router = openRouter()
  const { database, hub, time } = router
  const lines: { level: number; msg: string }[] = []
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) })
  const notifications: Notification[] = []
  const answers = { tell: async (): Promise<Told> => ({ failure: undefined, ...told }) }
  const open = () =>
    createNotifier({
      database,
      isRunning: hub.isRunning,
      presence: hub.presence,
      log,
      tell: async (notification) => {
        notifications.push(notification)
        return answers.tell()
      },
    })
  const notifier = open()
  hub.notifies = () => notifier.works()
  time.now += SETTLE_MS
  const [web, api] = [await router.seat('web'), await router.seat('api')]
  return {
    ...router,
    web,
    api,
    notifier,
    open,
    lines,
    notifications,
    answers,
    async pass(ms: number) {
      time.now += ms
      await notifier.sweep()
    },
  }
}

describe('mail that stays unread for 90 seconds is told of, when its recipient', () => {
  type World = Awaited<ReturnType<typeof openNotifier>>
  test.each<[string, (world: World) => unknown, string]>([
    ['is gone', ({ api, turn }) => turn(api.id, false), 'api@laptop, gone since '],
    [
      'is idle and nothing wakes it',
      ({ api }) => api.caller.peers.setActivity(IDLE),
      'api@laptop, waits for a prompt',
    ],
    ['never says what it does', () => undefined, 'api@laptop, waits for a prompt'],
    [
      'runs without its server',
      async ({ api, turn, running }) => {
        await turn(api.id, false)
        running.set(api.id, true)
      },
      'api@laptop, waits for a prompt',
    ],
  ])('%s', async (_, happens, words) => {
    const world = await openNotifier()
    await happens(world)
    const { messageId } = await world.web.caller.messages.send(draft('api', 'the words of the message'))
    await world.pass(NOTIFY_AFTER_MS - 1)
    expect(world.notifications).toEqual([])
    await world.pass(1)
    expect(world.notifications).toMatchObject([
      { title: 'claude-peers: 1 unread message', count: 1, messages: [{ id: messageId, to: 'api@laptop' }] },
    ])
    expect(world.notifications[0]!.text).toContain(words)
    expect(world.notifications[0]!.text).toContain(': 1 from web@laptop')
    expect(JSON.stringify(world.notifications)).not.toContain('the words of the message')
    await world.pass(NOTIFY_AFTER_MS)
    expect(world.notifications).toHaveLength(1)
  })

  test('is the person', async () => {
    const { call, web, notifications, pass } = await openNotifier()
    const seat = {
      machine: HOME_MACHINE,
      kind: 'user',
      directory: '/',
      root: '/',
      isRepo: false,
      summary: '',
    } as const
    await call().peers.register(seat)
    const { recipients } = await web.caller.messages.send(draft('user'))
    const { queuedAt, reach } = recipients[0]!
    expect(reach).toMatchObject({ how: 'inbox', notifyAt: queuedAt + NOTIFY_AFTER_MS })
    await pass(NOTIFY_AFTER_MS)
    expect(notifications).toMatchObject([
      { text: 'user@laptop: 1 from web@laptop. Read with: claude-peers inbox' },
    ])
  })
})

test('the person is told of mail that waking its session did not bring', async () => {
  const { web, api, notifications, pass } = await openNotifier()
  await api.caller.peers.setActivity({ ...IDLE, wakeable: true })
  const { recipients } = await web.caller.messages.send(draft('api'))
  expect(recipients[0]!.reach).toMatchObject({ how: 'waking', notifyAt: null })
  await pass(NOTIFY_AFTER_MS)
  expect(notifications).toMatchObject([{ text: 'api@laptop, waits for a prompt: 1 from web@laptop' }])
})

describe('nobody is told of mail', () => {
  test.each([
    ['for a session that works', BUSY, 'normal'],
    ['for one that works headless', { ...BUSY, headless: true }, 'normal'],
    ['for information only', IDLE, 'fyi'],
  ] as const)('%s', async (_, activity, urgency) => {
    const { web, api, notifications, pass } = await openNotifier()
    await api.caller.peers.setActivity(activity)
    const { recipients } = await web.caller.messages.send({ ...draft('api'), urgency })
    expect(recipients[0]!.reach!.notifyAt).toBeNull()
    await pass(10 * NOTIFY_AFTER_MS)
    expect(notifications).toEqual([])
  })

  test('until a session that had it on its way is gone', async () => {
    const { web, api, turn, notifications, pass } = await openNotifier()
    await api.caller.peers.setActivity(BUSY)
    await web.caller.messages.send(draft('api'))
    await pass(NOTIFY_AFTER_MS)
    expect(notifications).toEqual([])
    await turn(api.id, false)
    await pass(1_000)
    expect(notifications).toHaveLength(1)
  })

  test('before sessions had half a minute to come back to a hub that was started again', async () => {
    const { web, open, time, notifications } = await openNotifier()
    await web.caller.messages.send(draft('api'))
    time.now += NOTIFY_AFTER_MS
    const next = open()
    time.now += SETTLE_MS - 1
    await next.sweep()
    expect(notifications).toEqual([])
    time.now += 1
    await next.sweep()
    expect(notifications).toHaveLength(1)
  })
})

test('the sender reads in its receipt when the person is told, and was told', async () => {
  const { web, api, time, pass } = await openNotifier()
  await api.caller.peers.setActivity(IDLE)
  const { messageId, recipients } = await web.caller.messages.send(draft('api'))
  expect(recipients[0]).toMatchObject({ notifiedAt: null, reach: { notifyAt: time.now + NOTIFY_AFTER_MS } })
  await pass(NOTIFY_AFTER_MS)
  const { recipients: later } = await web.caller.messages.status({ messageId })
  expect(later[0]).toMatchObject({ notifiedAt: time.now, reach: { how: 'idle', notifyAt: null } })
})

test('no sender is promised a notification where the last one failed, until one works again', async () => {
  const { web, answers, pass } = await openNotifier({ told: { failure: 'no desktop' } })
  const promised = async () => {
    const { recipients } = await web.caller.messages.send(draft('api'))
    return recipients[0]!.reach!.notifyAt !== null
  }
  expect(await promised()).toBe(true)
  await pass(NOTIFY_AFTER_MS)
  expect(await promised()).toBe(false)
  answers.tell = async () => ({ failure: undefined })
  await pass(NOTIFY_AFTER_MS)
  expect(await promised()).toBe(true)
})

describe('many messages are one notification', () => {
  test('of all that is unread, with how many and from whom', async () => {
    const { seat, web, notifications, pass } = await openNotifier()
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await seat(name)
      await web.caller.messages.send(draft(name))
    }
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const other = await seat(`sender-${name}`)
      await other.caller.messages.send(draft('api'))
    }
    await pass(NOTIFY_AFTER_MS)
    expect(notifications).toHaveLength(1)
    const [{ title, text, messages }] = notifications as [Notification]
    expect(title).toBe('claude-peers: 11 unread messages')
    expect(text.split('\n')).toHaveLength(5)
    expect(text).toMatch(/\nand for 3 more$/)
    expect(messages).toHaveLength(11)
  })

  test('and those that become due within half a minute are the next one', async () => {
    const { web, notifications, pass } = await openNotifier()
    for (let second = 0; second < 10; second++) {
      await web.caller.messages.send(draft('api'))
      await pass(1_000)
    }
    await pass(NOTIFY_AFTER_MS - 10_000)
    for (let second = 0; second < 10; second++) await pass(1_000)
    expect(notifications.map(({ count }) => count)).toEqual([1])
    await pass(PAUSE_MS)
    expect(notifications.map(({ count }) => count)).toEqual([1, 9])
  })

  test('also hundreds of them, of which the oldest are listed', async () => {
    const { seat, notifications, pass, time } = await openNotifier()
    for (let sender = 0; sender < 10; sender++) {
      const { caller } = await seat(`sender-${sender}`)
      for (let number = 0; number < 58; number++) await caller.messages.send(draft('api'))
    }
    await pass(NOTIFY_AFTER_MS)
    expect(notifications).toMatchObject([{ count: 10 * 58 }])
    expect(notifications[0]!.messages).toHaveLength(100)
    expect(notifications[0]!.text).toContain(' and 7 more')
    time.now += PAUSE_MS
    await pass(NOTIFY_AFTER_MS)
    expect(notifications).toHaveLength(1)
  })
})

describe('never twice:', () => {
  test('a message is marked on the disk before anybody is told', async () => {
    const { web, answers, database, pass } = await openNotifier()
    const { messageId } = await web.caller.messages.send(draft('api'))
    const seen: unknown[] = []
    answers.tell = async () => {
      seen.push(database.sqlite.inTransaction, database.messages.receipts(messageId)[0]!.notifiedAt)
      return { failure: undefined }
    }
    await pass(NOTIFY_AFTER_MS)
    expect(seen).toEqual([false, expect.any(Number)])
  })

  test('a hub that ended while it told tells nothing again, and one whose way failed neither', async () => {
    const { web, answers, open, notifications, time, notifier, lines } = await openNotifier()
    await web.caller.messages.send(draft('api'))
    time.now += NOTIFY_AFTER_MS
    const { promise, resolve } = Promise.withResolvers<Told>()
    answers.tell = () => promise
    const telling = notifier.sweep()
    await waitFor(() => notifications.length === 1, 'the notification')
    const next = open()
    time.now += SETTLE_MS
    await next.sweep()
    resolve({ failure: 'no desktop' })
    await telling
    time.now += NOTIFY_AFTER_MS
    await Promise.all([next.sweep(), notifier.sweep()])
    expect(notifications).toHaveLength(1)
    expect(lines).toMatchObject([
      { level: 40, msg: 'could not tell the person of unread mail', failure: 'no desktop' },
    ])
  })

  test('a clock that was set back by hours does not keep it quiet for hours', async () => {
    const { web, notifications, time, notifier, pass } = await openNotifier()
    await web.caller.messages.send(draft('api'))
    await pass(NOTIFY_AFTER_MS)
    time.now -= 5 * 3_600_000
    await web.caller.messages.send(draft('api'))
    time.now += NOTIFY_AFTER_MS
    await notifier.sweep()
    expect(notifications).toHaveLength(2)
  })

  test('nothing else is told while one notification is under way', async () => {
    const { web, answers, notifications, time, notifier, pass } = await openNotifier()
    await web.caller.messages.send(draft('api'))
    time.now += NOTIFY_AFTER_MS
    const { promise, resolve } = Promise.withResolvers<Told>()
    answers.tell = () => promise
    const telling = notifier.sweep()
    await web.caller.messages.send(draft('api'))
    await pass(NOTIFY_AFTER_MS)
    expect(notifications).toHaveLength(1)
    resolve({ failure: undefined })
    await telling
    await pass(1)
    expect(notifications).toHaveLength(2)
  })
})

describe('a hub', () => {
  test('runs the command of its user, and tells after its restart only what is new', async () => {
    using scratch = makeDirectory()
    const file = join(scratch.path, 'told')
    const time = { now: Date.now() }
    await using hub = await openHub({
      now: () => time.now,
      env: { CLAUDE_PEERS_NOTIFY_COMMAND: `cat >> '${file}'; echo >> '${file}'` },
    })
    const logged = () => hub.lines.filter(({ msg }) => msg === 'told the person of unread mail')
    const web = await takeSeat(hub, 'web')
    await takeSeat(hub, 'api')
    const first = await web.client.messages.send.mutate(draft('api'))
    time.now += NOTIFY_AFTER_MS
    await waitFor(() => logged().length === 1, 'the first notification')
    await hub.stop()
    await hub.start()
    const second = await web.client.messages.send.mutate(draft('api'))
    time.now += NOTIFY_AFTER_MS
    await waitFor(() => logged().length === 2, 'the second notification')
    const lines = (await readFile(file, 'utf8')).trim().split('\n')
    const told = lines.map((line) => (JSON.parse(line) as Notification).messages.map(({ id }) => id))
    expect(told).toEqual([[first.messageId], [second.messageId]])
  })

  test('that a test starts never reaches a desktop', async () => {
    await using hub = await openHub()
    expect(hub.config.notify).toBe('off')
    const web = await takeSeat(hub, 'web')
    await takeSeat(hub, 'api')
    const { recipients } = await web.client.messages.send.mutate(draft('api'))
    expect(recipients[0]).toMatchObject({ reach: { how: 'gone', notifyAt: null } })
    await using home = await createHome()
    expect(readConfig(home.env, home.path).notify).toBe('off')
    expect(Object.keys(home.env).filter((name) => /DISPLAY|DBUS|XDG/.test(name))).toEqual([])
  })
})
