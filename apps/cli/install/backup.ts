/**
 * Two copies of a file at most, beside it: `.claude-peers-backup`, made before the first change of an installation
 * and not touched again until the next one, and `.claude-peers-backup-last`, made before every later change. Dated
 * copies would have to be counted and pruned, and the one that matters, the original, would be the first to go.
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { openDocument, type Document, type JsonObject } from './document.ts'
import type { Step } from './report.ts'
import { modeOf, writeText } from './write.ts'

/** Copies a file as it was read, with its mode, before a change; no step where there is no file. */
export function backUp({ file, text }: Document, { installed }: { installed: boolean }): Step[] {
  if (text === undefined) return []
  const copy = installed ? laterName(file) : firstName(file)
  return [
    {
      changes: [{ file: copy, action: 'backup', detail: `a copy of ${file} as it was` }],
      run: async () => writeText(copy, text, await modeOf(file)),
    },
  ]
}

/** The original of a file if this value is what it held: then its own bytes, spaces and all, can come back. */
export async function openOriginal(file: string, value: JsonObject): Promise<Document | undefined> {
  // A backup that somebody broke is no reason to keep our hooks.
  const original = await openDocument(firstName(file)).catch(() => undefined)
  if (original?.text === undefined || !isDeepStrictEqual(original.value, value)) return undefined
  return original
}

/** Removes the copies of a file that is again what it was before us: they hold nothing more. */
export function discardBackups(file: string): Step[] {
  return [firstName(file), laterName(file)]
    .filter((copy) => existsSync(copy))
    .map((copy) => ({
      changes: [{ file: copy, action: 'remove', detail: `${file} is as it was before the install` }],
      run: () => rm(copy, { force: true }),
    }))
}

function firstName(file: string): string {
  return `${file}.claude-peers-backup`
}

function laterName(file: string): string {
  return `${file}.claude-peers-backup-last`
}
