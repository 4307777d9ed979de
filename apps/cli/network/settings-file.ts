import type { Config } from '#machine/config'
import { readIfThere } from '#machine/files'
import type { Settings } from '#machine/settings'
import { openDocument, toText, type Document, type JsonObject } from '../install/document.ts'
import { writeText } from '../install/write.ts'

/** What was done to the file; `backup`: the copy of the old one, made when a value in it was replaced or removed. */
export type SettingsChange = { file: string; changed: boolean; backup?: string }

/**
 * Sets keys of `~/.claude-peers.json`, and removes those that are `undefined`; the others and their order stay. The new
 * file is there whole or not at all, and only its owner can read it. Rejects with an error that says what to do.
 */
export async function changeSettings(
  { paths }: Config,
  changes: { [Key in keyof Settings]: Settings[Key] | undefined },
): Promise<SettingsChange> {
  const file = paths.config
  const document = await openSettings(file)
  const before = document.value
  const after: JsonObject = { ...before, ...(changes as JsonObject) }
  for (const [key, value] of Object.entries(changes)) if (value === undefined) delete after[key]
  const names = Object.keys(changes)
  const isSame = (name: string) => JSON.stringify(before[name]) === JSON.stringify(after[name])
  if (names.every(isSame)) return { file, changed: false }
  const isLost = names.some((name) => before[name] !== undefined && !isSame(name))
  const backup = isLost ? `${file}.backup` : undefined
  if (backup) await writeText(backup, document.text!, 0o600)
  await writeText(file, toText(document, after), 0o600)
  return { file, changed: true, ...(backup && { backup }) }
}

/** An empty file holds no settings, and is none that would have to be mended. */
async function openSettings(file: string): Promise<Document> {
  return readIfThere(file)?.trim() === '' ? { file, text: undefined, value: {} } : openDocument(file)
}
