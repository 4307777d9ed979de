import { homedir } from 'node:os'
import { DEFAULT_EXPIRE_AFTER_MS } from '#machine/settings'
import { sweepCards } from '#machine/cards'
import { openSpool } from '#machine/spool'
import { toPaths } from '#machine/paths'
import { readProject } from '#machine/project'
import { watchActivity } from './activity.ts'
import { createFlushedStdio } from './flushed-stdio.ts'
import { findClient } from './identity.ts'
import { openLink } from './link.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { createPeersServer } from './server.ts'
import { SETTLE, settleWhenEnded } from './settler.ts'
import { readSessionConfig } from './settings.ts'

/** A client that waits for its first prompt should not wait for a hub that does not come: ms after the start. */
const REGISTER_WAIT_MS = 2_000
/** How Claude Code names itself to its servers (seen: 2.1.197 and 2.1.332). */
const CLAUDE_CODE = 'claude-code'
const TOOL_PREFIX = 'mcp__claude-peers__'

process.umask(0o077)
await (
  process.argv[2] === SETTLE ? settleWhenEnded(toPaths().sessions, Number(process.argv[3])) : main()
).catch((cause: Error) => {
  process.stderr.write(`claude-peers mcp: ${cause.message}\n`)
  process.exitCode = 1
})

/** Registers the session, then answers `initialize`: the first prompt's hook finds the card and the mail. */
async function main(): Promise<void> {
  const { sessions, spool } = toPaths()
  const { isOther, ...claude } = findClient()
  let outbox: Outbox | undefined
  const link = openLink({
    readConfig: () => readSessionConfig({ sessions, claude }),
    sessions,
    claude,
    readProject: () => readProject(workingDirectory()),
    // What another agent inherits is the session around it.
    sessionId: (!isOther && process.env['CLAUDE_CODE_SESSION_ID']) || undefined,
    toolPrefix: TOOL_PREFIX,
    onReached: () => outbox?.wake(),
  })
  const expireAfterMs = () => link.remote()?.expireAfterMs ?? DEFAULT_EXPIRE_AFTER_MS
  outbox = createOutbox({ link, spool: openSpool(spool, { expireAfterMs }) })
  const { transport, afterAnswer } = createFlushedStdio()
  const activity = watchActivity({ sessions, pid: claude.pid, onChange: link.reportActivity })
  const meet = (name: string) => {
    if (name === CLAUDE_CODE && !isOther) return
    link.setAgent(name)
    activity.noteForeign()
  }
  leaveWhenAlone(() => {
    activity.stop()
    outbox?.close()
    return link.leave()
  })
  const patience = Math.max(1, REGISTER_WAIT_MS - performance.now())
  await Promise.race([link.ready, new Promise((resolve) => setTimeout(resolve, patience).unref())])
  const server = createPeersServer({ link, outbox, afterAnswer, onClient: meet, onCall: activity.noteCall })
  await server.connect(transport)
  const receive = transport.onmessage
  const onmessage: typeof receive = (message) => {
    if ('method' in message && message.method === 'tools/list') link.noteListed()
    receive?.(message)
  }
  Object.assign(transport, { onmessage })
  // Behind the first attempt to register, which first settles the sessions that this one may succeed.
  void link.ready.then(() => sweepCards(sessions)).catch(() => undefined)
}

/** The directory may have been deleted under this process; the client says where it was started, too. */
function workingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    return process.env['CLAUDE_PROJECT_DIR'] || process.env['PWD'] || homedir()
  }
}

/** The SDK does not notice that the client has gone; whichever sign comes first ends this process, once. */
function leaveWhenAlone(leave: () => Promise<void>) {
  let leaving = false
  const go = () => {
    if (leaving) return
    leaving = true
    void leave()
      .catch(() => undefined)
      .then(() => process.exit(0))
  }
  for (const event of ['end', 'close', 'error']) process.stdin.on(event, go)
  process.stdout.on('error', go)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, go)
}
