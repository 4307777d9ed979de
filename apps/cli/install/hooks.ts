import { join } from 'node:path'
import { NODE_VARIABLES } from '#machine/environment'
import { NAMESPACE_SCRIPT } from '#machine/processes'
import { isObject } from './document.ts'

/** The `hooks` block of a settings file: event → groups. */
export type Hooks = Record<string, Group[]>

type Hook = { type: 'command'; command: string; timeout: number; async?: true; asyncRewake?: true }
type Group = { matcher?: string; hooks: Hook[] }
type Row = {
  event: string
  matcher?: string
  gate?: (launch: string) => string
  waiter?: '' | ' start' | ' prompt'
  /** Marks what the client notifies its user of, and delivers nothing. */
  note?: true
}

/**
 * Every hook that we register, one row each; an event may have several. A session has one waiter: of those that start,
 * all but the first end at once. Stop alone is not enough: a session that was never asked anything has had none, and
 * one whose woken turn the user interrupts gets none.
 */
const table: Row[] = [
  { event: 'PostToolUse', matcher: '*', gate: whenMailWaits },
  { event: 'UserPromptSubmit', waiter: ' prompt' },
  { event: 'SessionStart', waiter: ' start' },
  { event: 'Stop', gate: unlessAtRest, waiter: '' },
  { event: 'Notification', note: true },
]

/** The client kills a hook after this many seconds; delivery gives up by itself long before. */
const timeout = 10

/** How long a session that nobody touches can be woken: the client's timers take no more than 24 days. */
const waiterTimeout = 14 * 24 * 60 * 60

/**
 * The client runs hooks through `/bin/sh -c` as the shell's parent (seen: 2.1.197, 2.1.330). `CLAUDE_PID` would not do:
 * newer clients give it to all that they start, an older client among it, whose hooks would then serve its parent.
 */
const pid = '$PPID'

/**
 * What all files of a session begin with, as `sessionFile` names them, and what sets the variable in it. The pid alone
 * would not do: two containers that share a home have equal ones.
 */
const own = `$HOME/.claude-peers/sessions/${pid}\${n:+-$n}`

/** What each of our commands holds, whatever the checkout that it runs from. */
const signatures = ['hook.cjs', 'waiter.sh', 'waiter.cjs'].map((name) => `${name}' "${pid}"`)

export type Place = { node: string; root: string; platform?: NodeJS.Platform }

/** The hooks block that runs delivery, and the waiter beside it, with this Node from this package root. */
export function hookCommands({ node, root, platform = process.platform }: Place): Hooks {
  const program = quote(node)
  const script = quote(join(root, 'dist', 'hook.cjs'))
  // What is missing, as while this installation is built anew, is nothing that the host should hear of. The shell's own
  // tests and `exec` cost no process.
  const launch = `[ ! -x ${program} ] || [ ! -f ${script} ] || ${run(`${program} ${script} "${pid}" 2>/dev/null`)}`
  const hooks: Hooks = {}
  for (const { event, matcher, gate, waiter, note } of table) {
    const delivery = gate ? gate(launch) : launch
    const command = note ? `${waiterCommand({ node, root, platform })} note` : delivery
    const group: Group = { ...(matcher && { matcher }), hooks: [{ type: 'command', command, timeout }] }
    if (waiter !== undefined) {
      const command = `${waiterCommand({ node, root, platform })}${waiter}`
      const rewake = { async: true, asyncRewake: true } as const
      group.hooks.push({ type: 'command', command, timeout: waiterTimeout, ...rewake })
    }
    hooks[event] = [...(hooks[event] ?? []), group]
  }
  return hooks
}

/** A shell at a FIFO takes a thirtieth of a Node's memory. Where there is no FIFO, it is a Node. */
function waiterCommand({ node, root, platform }: Required<Place>): string {
  const isShell = platform !== 'win32'
  const script = quote(join(root, 'dist', isShell ? 'waiter.sh' : 'waiter.cjs'))
  // A shell that cannot read its script ends with the very status that wakes.
  if (isShell) return `[ ! -r ${script} ] || exec /bin/sh ${script} "${pid}"`
  const program = quote(node)
  return `[ ! -x ${program} ] || [ ! -r ${script} ] || ${run(`${program} ${script} "${pid}"`)}`
}

/** Becomes a program of Node, without what the session has inherited for another one. */
const run = (words: string) => `{ unset ${NODE_VARIABLES.join(' ')}; exec ${words}; }`

/**
 * Puts the gate before a launch: without a `.mail` file the hook is one POSIX shell test and exits 0, no other
 * process starts (promise 5).
 */
export function whenMailWaits(launch: string): string {
  return `${NAMESPACE_SCRIPT}; [ ! -e "${own}.mail" ] || ${launch}`
}

/**
 * Puts the gate of a turn's end before a launch: while the MCP server that the card names runs and no flag is up, the
 * turn ends without a Node, and `rm` takes the mark of the turn away. A Node there would be most of what an exit of a
 * headless run costs. The flag is looked at once more behind that: what was announced in between rang for a session
 * that was still busy. All but `rm` is built into the shell; the card is one line.
 */
export function unlessAtRest(launch: string): string {
  const lives = `read -r c <"$s.json"; m=\${c#*'"mcp":{"pid":'}; kill -0 "\${m%%[!0-9]*}"`
  const rests = `[ ! -e "$s.mail" ] && rm -f "$s.busy" && [ ! -e "$s.mail" ]`
  return `${NAMESPACE_SCRIPT}; s="${own}"; c=; { ${lives} && ${rests}; } 2>/dev/null || ${launch}`
}

/** Whether a hook is one of ours, from this checkout or any other. */
export function isOurHook(hook: unknown): boolean {
  return signatures.some((signature) => commandOf(hook).includes(signature))
}

/** Whether a hook is the predecessor's: `bun` from anywhere running a `hooks/deliver.ts`. */
export function isPredecessorHook(hook: unknown): boolean {
  return /(^|[\s/\\"'])bun(\.exe)?["']?\s(.*[\s/\\"'])?hooks[/\\]deliver\.ts(["'\s]|$)/s.test(commandOf(hook))
}

/** The command line of a hook, or nothing where there is none. */
export function commandOf(hook: unknown): string {
  return isObject(hook) && typeof hook.command === 'string' ? hook.command : ''
}

/** Single quotes stop every expansion of a POSIX shell; a quote itself is closed, escaped and opened again. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
