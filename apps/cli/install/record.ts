import { chmod, mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { openDocument, type Document } from './document.ts'
import { refusal } from './error.ts'
import { writeText } from './write.ts'

const replaced = z.object({ event: z.string(), at: z.int(), before: z.json(), after: z.json() })
const settings = z.object({
  existed: z.boolean(),
  /** The nulls and empty containers that we filled, by path (`hooks`, `hooks.Stop`). */
  blanks: z.record(z.string(), z.json()),
  replaced: z.array(replaced),
})
const server = z.object({ existed: z.boolean(), blank: z.json().optional(), replaced: z.json().optional() })
const install = z.object({ settings, server })
const shape = z.object({ version: z.literal(1), installs: z.record(z.string(), install) })

/** A group of the predecessor: what it was at which index, and what was left of it (null: nothing). */
export type Replaced = z.infer<typeof replaced>

/** What a settings file was before us, as far as taking our hooks out does not tell. */
export type SettingsRecord = z.infer<typeof settings>

/** What the user-scope registration was before us. */
export type ServerRecord = z.infer<typeof server>

/** What one installation replaced. */
export type Install = z.infer<typeof install>

/** All installations of a user, by client configuration directory. */
export type Records = { file: string; document: Document; installs: Record<string, Install> }

/** Reads the record; one that we did not write is an InstallError. */
export async function openRecords(file: string): Promise<Records> {
  const document = await openDocument(file)
  if (document.text === undefined) return { file, document, installs: {} }
  const { success, data } = shape.safeParse(document.value)
  if (success) return { file, document, installs: data.installs }
  throw refusal(`${file} is not a record that this version can read`, 'move it away')
}

/** Writes the record (directory 0700, file 0600: a replaced entry may carry secrets); without installations it goes. */
export async function writeRecords(file: string, installs: Record<string, Install>): Promise<void> {
  if (Object.keys(installs).length === 0) return rm(file, { force: true })
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await chmod(dirname(file), 0o700)
  await writeText(file, `${JSON.stringify({ version: 1, installs }, undefined, 2)}\n`, 0o600)
}
