/**
 * The live link of one session: its seat at the hub, its card for the hooks, its subscription. Whatever happens to the
 * hub, its database or the card, it comes back to the same mailbox, because the seat goes by the Claude process. This
 * process alone raises and lowers the mail flag, as the feed tells: a hook that is killed cannot leave it wrong.
 */
import { connect, type HubClient } from '#client/connect'
import { LONGEST_RETRY_MS, toRetryDelay } from '#client/retry-delay'
import { judge } from '#client/verdict'
import {
  readEarly,
  readCard,
  removeBell,
  setBusy,
  removeCard,
  TOUCH_MS,
  toTranscripts,
  touchCard,
  writeCard,
  type Card,
} from '#machine/cards'
import type { Config } from '#machine/config'
import { processOf } from '#machine/hub-identity'
import { locateHub, type HubAddress } from '#machine/hub-process'
import { isIdentical, isKnownToRun, ownIdentity } from '#machine/processes'
import type { Project } from '#machine/project'
import type { Sender } from '#machine/spool'
import { createAnnouncer, type Waiting } from './announcer.ts'
import { openBell } from './bell.ts'
import type { Activity } from '#router/shapes/peers'
import { createActivityReport } from './activity-report.ts'
import { mayBeSucceeded, settleEnded } from './ended.ts'
import type { ClaudeProcess } from './identity.ts'
import { keepLooking } from './keeper.ts'
import { leaveSeat } from './leave.ts'
import { describeSession, withFormerRoots } from './registration.ts'
import { followTranscript } from './transcript.ts'
import { followUse } from './usage.ts'

export type LinkOptions = {
  /** Throws for settings that cannot be used; asked again at the next attempt, as somebody may mend them. */
  readConfig: () => Config
  /** The directory of the cards. */
  sessions: string
  claude: ClaudeProcess
  /** Asked at each registration: a session may have changed its branch. */
  readProject: () => Promise<Project>
  sessionId: string | undefined
  toolPrefix: string
  /** Told whenever a remote hub answers that was away, or was not known to be there. */
  onReached?: () => void
}

export type Link = {
  hub: HubClient['hub']
  toolPrefix: string
  /** The settings that hold for this session, if the hub is one of another machine; `undefined` for a local hub. */
  remote(): Config | undefined
  /** Who this session is to the hub: its seat, if it has one, and what it registers with. */
  sender(): Promise<Sender>
  /** Resolves once this session has a seat; tries at once to get one, and rejects with the reason why it cannot. */
  seated(): Promise<void>
  /** Registers again, when the hub no longer knows this session's key. Rejects with the reason. */
  renew(): Promise<void>
  /** Notes that the client asked for the tools: a server that saw no more than that was a health check. */
  noteListed(): void
  /** Keeps this session's words about itself for a hub that has to be told again. */
  describe(summary: string): void
  /** Tells the hub what the session does, now and to every hub that has to be told again; never fails. */
  reportActivity(activity: Activity): void
  /** Settles after the first attempt to register, however that went. */
  ready: Promise<void>
  /** Keeps that the client is another agent's: its hooks get no mail, and no waiter of ours stands in it. */
  setAgent(name: string): void
  /** Says goodbye, within half a second, and removes the card. */
  leave(): Promise<void>
}

/** Opens the link and keeps it open until `leave`. */
export function openLink(options: LinkOptions): Link {
  const { claude, sessions } = options
  let known: { config: Config; locate: ReturnType<typeof locateHub> } | undefined
  let card: Card | undefined
  let key: string | undefined
  let summary: string | undefined
  let registration: Sender['registration'] | undefined
  let trouble: Error | undefined
  let left = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined
  let subscription: { unsubscribe(): void } | undefined
  let [isOpen, reopened] = [false, false]
  let agent: string | undefined
  let touchedAt = 0

  const client = connect({
    endpoint: async (how) => {
      // Whoever leaves starts no hub: it would outlive everybody who needs one.
      if (left && how.fresh) throw new Error('this session has ended')
      return { ...(await locate(how)), key }
    },
    onFeed: (state) => {
      isOpen = reopened = state === 'open'
      if (!isOpen) return loseHub()
      reach()
      checkAddress().catch(again)
    },
    longestRetryMs: () => (remote() ? LONGEST_RETRY_MS.remote : LONGEST_RETRY_MS.local),
  })

  function settings() {
    if (known) return known
    const config = options.readConfig()
    known = { config, locate: locateHub(config) }
    return known
  }

  function remote(): Config | undefined {
    return known?.config.remote ? known.config : undefined
  }

  /** Mail of a hub of this machine is to be had in a moment: who asks starts it. While the feed is open, one is there. */
  function loseHub() {
    if (remote() && !left && !isOpen) announcer.cutOff()
  }

  const noteFailure = (cause: unknown) => void (judge(cause) === 'away' && loseHub())

  function reach() {
    announcer.back()
    if (remote()) options.onReached?.()
  }

  async function locate(how: { fresh: boolean }): Promise<HubAddress> {
    const found = settings().locate(how)
    found.catch(noteFailure)
    return found
  }
  const receipts = followTranscript({
    transcripts: () => toTranscripts(readCard(sessions, claude.pid)),
    toolPrefix: options.toolPrefix,
    confirm: (ids) => client.hub.mailbox.confirm.mutate({ ids }),
    requeue: (ids, why) => client.hub.mailbox.requeue.mutate({ ids, why }),
  })
  const activity = createActivityReport(async (given) => {
    if (!card || left) throw new Error('this session has no seat')
    await client.hub.peers.setActivity.mutate(given)
  })

  const describe = (found: Card | undefined) =>
    describeSession(settings().config, { ...options, found, summary })

  async function register(): Promise<void> {
    // A second server of the same session, as from a plugin and from the settings, shares the seat through the card.
    const found = readCard(sessions, claude.pid)
    const { sessionIds, ...given } = await describe(found)
    registration = given.registration
    const place = { ...(await locate({ fresh: true })), isRemote: remote() !== undefined }
    const wanted = given.registration
    const settleOthers = await settleEnded(sessions, place, (ended) => mayBeSucceeded(ended, wanted))
    key = found?.key ?? key
    const { peer, ...registered } = await client.hub.peers.register.mutate(
      await withFormerRoots(client.hub, registration),
    )
    if (left) return
    if (!card && registered.origin === 'same-process') use.note()
    key = registered.key
    const hub = await locate({ fresh: false })
    const { toolPrefix } = options
    // A hook may have kept another session in the card while the hub was asked: nothing may wait between here and the
    // write.
    const latest = readCard(sessions, claude.pid) ?? found
    card = {
      hubUrl: hub.url,
      token: hub.token,
      hub: processOf(hub),
      peerId: peer.id,
      name: peer.name,
      root: registration.root,
      key,
      toolPrefix,
      claude,
      agent,
      mcp: ownIdentity(),
      sessionIds: latest?.sessionIds.length ? latest.sessionIds : sessionIds,
      transcript: latest?.transcript ?? card?.transcript ?? readEarly(sessions, claude)?.transcript,
      past: latest?.past ?? card?.past ?? [],
      since: latest?.since ?? card?.since ?? Date.now(),
    }
    writeCard(sessions, card)
    void settleOthers()
    reach()
    announcer.announce()
  }

  function subscribe() {
    return client.hub.mailbox.watch.subscribe(undefined, {
      onData: ({ data }) => {
        failures = 0
        // A session whose link was broken for long was offline, and the hub has forgotten what it does.
        if (reopened) activity.renew()
        reopened = false
        if (data.type === 'waiting' && !left) showWaiting(data)
        if (data.type === 'unread') receipts.expect(data.mail)
      },
      onError: loseFeed,
      onComplete: () => loseFeed(new Error('the hub ended the subscription')),
    })
  }

  function showWaiting(told: Waiting) {
    announcer.keep(told)
    // A hook that the flag lets through must find the card of the hub that has the mail.
    if (underWay) return
    try {
      announcer.announce()
    } catch {
      // The directory is gone; the card's renewal makes it again, and raises the flag.
      void settle()
    }
  }

  function loseFeed(reason: Error) {
    subscription = undefined
    again(reason)
  }

  /** Registers, and opens the feed unless it is open; one attempt at a time. On failure it says why and tries again. */
  function settle(): Promise<void> {
    clearTimeout(timer)
    underWay ??= attempt().finally(() => (underWay = undefined))
    return underWay
  }

  async function attempt(): Promise<void> {
    try {
      await register()
      trouble = undefined
      activity.renew()
      if (!left) subscription ??= subscribe()
    } catch (cause) {
      again(cause as Error)
      noteFailure(cause)
    }
  }

  function again(reason: Error) {
    if (left) return
    trouble = reason
    clearTimeout(timer)
    timer = setTimeout(() => void settle(), toRetryDelay(++failures, LONGEST_RETRY_MS.remote))
  }

  /**
   * A hub that came back may be another process, or listen elsewhere: the card must follow before its mail is announced.
   * The feed may have opened on the next hub at a port whose hub had proven itself just before, so that one of this
   * machine proves itself once more. A change under way may still write what it knew before.
   */
  async function checkAddress() {
    if (left) return
    const address = await locate({ fresh: !remote() })
    await underWay
    if (card && !isCardOf(card, address)) void settle()
  }

  function checkCard() {
    const found = readCard(sessions, claude.pid)
    // A prompt that saw no card may leave its transcript just behind the card.
    const early = found && !found.transcript && readEarly(sessions, claude)?.transcript
    if (early) writeCard(sessions, { ...found, transcript: early })
    if (!card || underWay || (found && isSameSeat(found, card))) return
    // What another server of this session says of the seat holds as long as that one lives.
    const isOthers = found && found.mcp.pid !== process.pid && isKnownToRun(found.mcp)
    if (!isOthers) void settle()
  }

  // Without a card of this very process, what is there is of another one which had its number.
  const found = readCard(sessions, claude.pid)
  if (found && found.claude.start !== claude.start) removeCard(sessions, claude.pid)
  const isOwn = found?.claude.start === claude.start || readEarly(sessions, claude) !== undefined
  if (!isOwn) setBusy(sessions, claude.pid, false)
  const bell = openBell(sessions, claude.pid)
  const use = followUse({ sessions, pid: claude.pid })
  const announcer = createAnnouncer({ sessions, pid: claude.pid, ring: bell.ring })
  announcer.back()
  const stopLooking = keepLooking({
    sessions,
    pid: claude.pid,
    kinds: ['json', 'bell', 'mail'],
    isPressing: announcer.isPressing,
    look() {
      checkCard()
      if (Date.now() - touchedAt >= TOUCH_MS) {
        touchedAt = Date.now()
        touchCard(sessions, claude.pid)
      }
      announcer.checkTurn(readCard(sessions, claude.pid)?.transcript)
      if (agent === undefined) void bell.ensure()
    },
  })
  const renew = async () => {
    await settle()
    if (trouble !== undefined) throw new Error(trouble.message, { cause: trouble })
  }
  return {
    hub: client.hub,
    toolPrefix: options.toolPrefix,
    remote,
    async sender() {
      registration ??= (await describe(readCard(sessions, claude.pid))).registration
      return { peerId: card?.peerId, key: card && key, registration }
    },
    async seated() {
      use.note()
      if (!card) await renew()
    },
    noteListed: use.noteListed,
    renew,
    describe: (words) => void (summary = words),
    reportActivity: activity.report,
    setAgent(name) {
      agent = name
      bell.close()
      removeBell(sessions, claude.pid)
      if (!card) return
      card = { ...card, agent }
      try {
        writeCard(sessions, card)
      } catch {
        // Without a card, no hook finds the session either; its renewal has the agent.
      }
    },
    // The first Stop, and so the first waiter, comes long after the bell.
    ready: Promise.all([bell.ensure(), settle()]).then(() => undefined),
    async leave() {
      left = true
      receipts.close()
      bell.close()
      clearTimeout(timer)
      stopLooking()
      // Another server of the same session may have taken the card over.
      const found = readCard(sessions, claude.pid)
      if (found?.mcp.pid === process.pid) {
        const [isOpen, unused] = [receipts.isOpen(), use.isUnused()]
        await leaveSeat(found, { sessions, hub: client.hub, isOpen, unused })
      }
      subscription?.unsubscribe()
      void client.close()
    },
  }
}

const isSameSeat = (one: Card, other: Card) =>
  one.key === other.key &&
  one.hubUrl === other.hubUrl &&
  one.token === other.token &&
  isIdentical(one.hub, other.hub)

const isCardOf = ({ hubUrl, token, hub }: Card, address: HubAddress) =>
  hubUrl === address.url && token === address.token && isIdentical(hub, processOf(address))
