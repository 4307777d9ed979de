/**
 * The waiter where there are no FIFOs (Windows), with the contract of waiter.sh: exit 2 wakes an idle session, every
 * other end is 0; one a session; none in headless runs, none without an MCP server. It watches the files instead: the
 * time of the mail flag is the ring, and set to the epoch once it is heard.
 *
 *   node waiter.cjs <pid of Claude> [start | prompt | note]
 */
import { readFileSync, rmSync, statSync, utimesSync, watch, writeFileSync, writeSync } from 'node:fs'
import { busySince, readCard, readMailFlag, sessionFile, setBusy } from '#machine/cards'
import { createPrivate, readIfThere } from '#machine/files'
import { isInteractive } from '#machine/interactive'
import { toPaths } from '#machine/paths'
import { isAlive, isKnownToRun } from '#machine/processes'

/** Nothing tells of the end of the MCP server; no session should be left with a waiter for longer than 5 s. */
const CHECK_MS = 2_000
const START_MS = 10_000
const MESSAGE =
  'claude-peers: mail from other sessions has arrived. It is in the context of this turn, if not of the turn before. This line is not from the user.\n'

const { sessions } = toPaths()
const pid = Number(process.argv[2])
const seat = sessionFile(sessions, pid, 'waiter')
const flag = sessionFile(sessions, pid, 'mail')
const isStart = process.argv[3] === 'start'

process.on('uncaughtException', () => process.exit(0))
process.on('exit', () => {
  if (isMine()) rmSync(seat, { force: true })
})
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0))
if (!(pid > 0) || !isInteractive(pid, process.env['CLAUDE_CODE_ENTRYPOINT']) || !isNeeded()) process.exit(0)
if (process.argv[3] === 'note') markDialog()
if (process.argv[3] === 'prompt' && readCard(sessions, pid) && busySince(sessions, pid) === undefined)
  setBusy(sessions, pid, true)
takeSeat()
watch(sessions, look)
setInterval(() => {
  if (!isNeeded() || !isMine()) process.exit(0)
  utimesSync(seat, new Date(), new Date())
  look()
}, CHECK_MS)
look()

/** While the MCP server lives; at the start of a session, until it has had its time to come. */
function isNeeded(): boolean {
  const card = readCard(sessions, pid)
  if (card) return isKnownToRun(card.mcp)
  return isStart && process.uptime() * 1_000 < START_MS && isAlive(pid)
}

/** Marks a dialog that waits for the user, as a notification of the client tells of it. */
function markDialog(): never {
  const { notification_type: type } = JSON.parse(readFileSync(0, 'utf8')) as { notification_type?: unknown }
  if (type === 'permission_prompt' || type === 'elicitation_dialog')
    writeFileSync(sessionFile(sessions, pid, 'asks'), '', { mode: 0o600 })
  process.exit(0)
}

function isMine(): boolean {
  return readIfThere(seat) === String(process.pid)
}

function takeSeat() {
  const holder = readIfThere(seat)
  if (holder !== undefined && !isHeld(Number(holder))) clearSeat(holder)
  createPrivate(seat, String(process.pid))
  if (!isMine()) process.exit(0)
}

/** The number may be another process's by now, but that one does not keep the seat fresh. */
function isHeld(holder: number): boolean {
  const freshness = Date.now() - (statSync(seat, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  return isAlive(holder) && freshness < 10 * CHECK_MS
}

/** Of several that find it, the one with the claim on that holder's seat removes it, and looks again before. */
function clearSeat(holder: string) {
  const claim = `${seat}.${Number(holder)}.tmp`
  createPrivate(claim, String(process.pid))
  if (readIfThere(claim) !== String(process.pid)) return
  if (readIfThere(seat) === holder) rmSync(seat, { force: true })
  rmSync(claim, { force: true })
}

function look() {
  if (readMailFlag(sessions, pid) !== 'wake' || busySince(sessions, pid) !== undefined) return
  if (statSync(flag, { throwIfNoEntry: false })?.mtimeMs === 0) return
  utimesSync(flag, 0, 0)
  // The woken turn begins here: the next waiter stands before its prompt's hook has marked it.
  setBusy(sessions, pid, true)
  writeSync(2, MESSAGE)
  process.exit(2)
}
