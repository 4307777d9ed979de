/** What the sender's side knows of the newest message, and hooks of others beside ours. */
import { readFile, writeFile } from 'node:fs/promises'
import type { LogEntry } from '../../../lib/router/shapes/messages.ts'
import { contextOf, type ModelRequest } from './model.ts'
import type { PeersRig } from './peers.ts'
import { waitUntil } from './processes.ts'

export const MAIL = 'The staging database moved to port 6543.'

/** Whether a request holds the mail in a frame: the sender has the same words in its prompt. */
export const hasMail = (request: ModelRequest) =>
  contextOf(request).includes('<peer-message ') && contextOf(request).includes(MAIL)

/** The newest message of the log. */
export const entryOf = async (rig: PeersRig): Promise<LogEntry> =>
  (JSON.parse(await rig.cli('log', '--json', '--limit', '1')) as LogEntry[])[0]!

/** Waits until the newest message is in that state. */
export const isIn = (rig: PeersRig, state: LogEntry['state']) =>
  waitForEntry(rig, state, (entry) => entry.state === state)

/** Waits until the newest message was taken back, for the first time. */
export const isTakenBack = (rig: PeersRig) =>
  waitForEntry(rig, 'taken back', (entry) => entry.requeuedAt !== null)

const waitForEntry = (rig: PeersRig, what: string, accept: (entry: LogEntry) => boolean) =>
  waitUntil(async () => accept(await entryOf(rig)), {
    timeoutMs: 15_000,
    failure: async () => `not ${what}: ${JSON.stringify(await entryOf(rig))}`,
  })

/** Adds a hook that is not ours to the settings of the home. */
export async function addHook(rig: PeersRig, event: string, command: string): Promise<void> {
  const { settingsPath } = rig.home
  const settings = JSON.parse(await readFile(settingsPath, 'utf8')) as { hooks: Record<string, object[]> }
  settings.hooks[event] = [...(settings.hooks[event] ?? []), { hooks: [{ type: 'command', command }] }]
  await writeFile(settingsPath, JSON.stringify(settings))
}
