import { join } from 'node:path'
import { isObject } from './document.ts'

/** The `hooks` block of a settings file: event → groups. */
export type Hooks = Record<string, Group[]>

type Group = { matcher?: string; hooks: { type: 'command'; command: string; timeout: number }[] }
type Row = { event: string; matcher?: string; gate?: (launch: string) => string }

/** Every hook that we register, one row each; an event may have several. */
const table: Row[] = [
  { event: 'PostToolUse', matcher: '*', gate: whenMailWaits },
  { event: 'UserPromptSubmit' },
  { event: 'SessionStart' },
  { event: 'Stop' },
]

/** The client kills a hook after this many seconds; delivery gives up by itself long before. */
const timeout = 10

/** `CLAUDE_PID` is set by newer clients (2.1.330, not 2.1.197); `$PPID` serves the others. */
const pid = '${CLAUDE_PID:-$PPID}'

/** How each of our commands ends, whatever the checkout that it runs from. */
const signature = `hook.cjs' "${pid}"`

/** The hooks block that runs delivery with this Node from this package root. */
export function hookCommands({ node, root }: { node: string; root: string }): Hooks {
  const program = quote(node)
  const script = quote(join(root, 'dist', 'hook.cjs'))
  // What is missing, as while this installation is built anew, is nothing that the host should hear of. The shell's own
  // tests and `exec` cost no process.
  const launch = `[ ! -x ${program} ] || [ ! -f ${script} ] || exec ${program} ${script} "${pid}" 2>/dev/null`
  const hooks: Hooks = {}
  for (const { event, matcher, gate } of table) {
    const command = gate ? gate(launch) : launch
    const group: Group = { ...(matcher && { matcher }), hooks: [{ type: 'command', command, timeout }] }
    hooks[event] = [...(hooks[event] ?? []), group]
  }
  return hooks
}

/**
 * Puts the gate before a launch: without a `.mail` file the hook is one POSIX shell test and exits 0, no other
 * process starts (promise 5). The client runs hooks through `/bin/sh -c` as the shell's parent, so `$PPID` is the
 * Claude pid that names the file; where the client sets `CLAUDE_PID`, that is it without any assumption.
 */
export function whenMailWaits(launch: string): string {
  return `[ ! -e "$HOME/.claude-peers/sessions/${pid}.mail" ] || ${launch}`
}

/** Whether a hook is one of ours, from this checkout or any other. */
export function isOurHook(hook: unknown): boolean {
  return commandOf(hook).includes(signature)
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
