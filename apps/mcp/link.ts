/**
 * The live link of one session: its seat at the hub, its card for the hooks, its subscription. Whatever happens to the
 * hub, it comes back to the same name and mailbox, because the seat goes by the Claude process.
 */
import { connect, type HubClient } from '#client/connect'
import { readCard, removeCard, setMailFlag, sweepCards, writeCard } from '#machine/cards'
import type { Config } from '#machine/config'
import { locateHub } from '#machine/hub-process'
import { readProcess } from '#machine/processes'
import { readMachineId } from '#machine/machine-id'
import { toSummary, type Project } from '#machine/project'
import type { Peer } from '#router/shapes/peers'
import type { ClaudeProcess } from './identity.ts'

export type LinkOptions = {
  config: Config
  claude: ClaudeProcess
  project: Project
  sessionId: string | undefined
  toolPrefix: string
}

export type Link = {
  hub: HubClient['hub']
  toolPrefix: string
  /** This session as others see it; `undefined` until it is registered. */
  self(): Peer | undefined
  /** Why there is no seat yet, in words; `undefined` when there is. */
  trouble(): string | undefined
  /** Settles after the first attempt to register, however that went. */
  ready: Promise<void>
  /** Says goodbye, within half a second, and removes the card. */
  leave(): Promise<void>
}

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 15_000
const GOODBYE_MS = 500

/** Opens the link and keeps it open until `leave`. */
export function openLink(options: LinkOptions): Link {
  const { config, claude } = options
  const { sessions } = config.paths
  const locate = locateHub(config)
  let key = readCard(sessions, claude.pid)?.key
  let self: Peer | undefined
  let trouble: string | undefined = 'not registered with the hub yet'
  let left = false
  let feeds = 0
  let timer: NodeJS.Timeout | undefined
  let subscription: { unsubscribe(): void } | undefined

  const client = connect({
    endpoint: async (how) => ({ ...(await locate(how)), key }),
    // A hub that restarted may have another address or database: say again who this is, and renew the card.
    onFeed: (state) => {
      if (state === 'open' && feeds++ > 0) void register().catch(() => undefined)
    },
  })

  async function register(): Promise<void> {
    const { cwd, root, isRepo, branch } = options.project
    const registered = await client.hub.peers.register.mutate({
      machine: { id: readMachineId(config.paths.machineId), host: config.host },
      directory: cwd,
      root,
      isRepo,
      branch,
      summary: toSummary(options.project),
      process: { pid: claude.pid, start: claude.start },
      sessionId: options.sessionId,
    })
    if (left) return
    key = registered.key
    self = registered.peer
    trouble = undefined
    const hub = await locate({ fresh: false })
    writeCard(sessions, {
      hubUrl: hub.url,
      token: hub.token,
      peerId: self.id,
      name: self.name,
      key,
      toolPrefix: options.toolPrefix,
      claude,
      mcp: { pid: process.pid, start: readProcess(process.pid)?.start },
      sessionIds: options.sessionId ? [options.sessionId] : [],
    })
  }

  function subscribe() {
    subscription = client.hub.mailbox.watch.subscribe(undefined, {
      onData: ({ data }) => {
        if (data.type === 'waiting' && !left) setMailFlag(sessions, claude.pid, data.waiting > 0)
      },
      onError: (cause) => again(cause.message, 1),
      onComplete: () => again('the hub ended the subscription', 1),
    })
  }

  /** Registers and subscribes; on failure says why, and tries again with backoff and jitter. */
  async function establish(attempt: number): Promise<void> {
    try {
      await register()
      if (!left) subscribe()
    } catch (cause) {
      again((cause as Error).message, attempt + 1)
    }
  }

  function again(reason: string, attempt: number) {
    if (left) return
    trouble = reason
    subscription = undefined
    clearTimeout(timer)
    const delay = Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS) * (0.5 + Math.random() / 2)
    timer = setTimeout(() => void establish(attempt), delay)
  }

  sweepCards(sessions)
  return {
    hub: client.hub,
    toolPrefix: options.toolPrefix,
    self: () => self,
    trouble: () => trouble,
    ready: establish(0),
    async leave() {
      left = true
      clearTimeout(timer)
      // A second server of the same session (as from a plugin and from the settings) may have taken the card over.
      if (readCard(sessions, claude.pid)?.mcp.pid === process.pid) {
        removeCard(sessions, claude.pid)
        const goodbye = self ? client.hub.peers.leave.mutate().catch(() => undefined) : undefined
        await Promise.race([goodbye, new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref())])
      }
      subscription?.unsubscribe()
      void client.close()
    },
  }
}
