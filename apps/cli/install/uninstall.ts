import { backUp, discardBackups, openOriginal } from './backup.ts'
import { findClient } from './client.ts'
import { openDocument, type Document, type JsonObject } from './document.ts'
import type { InstallOptions } from './install.ts'
import { toPlaces } from './place.ts'
import { openRecords, writeRecords } from './record.ts'
import { register, settle } from './registration.ts'
import { carryOut, type Change, type Report, type Step } from './report.ts'
import { planRemoval, withEntry } from './server.ts'
import { removeHooks } from './settings.ts'
import { removeFile } from './write.ts'

/**
 * Takes our registration and hooks out, puts back what the install replaced, and reports each change. A file that
 * the install made goes when nothing else is in it; one that is again what it was gets its very bytes back. Every
 * file is checked before the first is written, as in the install.
 */
export async function uninstallFrom({
  home,
  env,
  print,
}: Omit<InstallOptions, 'node' | 'root'>): Promise<Report> {
  const places = toPlaces(home, env)
  const settings = await openDocument(places.settings)
  const config = await openDocument(places.config)
  const records = await openRecords(places.record)
  const { [places.configDir]: record, ...others } = records.installs

  const hooks = removeHooks(settings, record?.settings)
  const plan = planRemoval(config, record?.server)
  const client = findClient(home, env)
  const steps = [
    ...(await restore({
      document: settings,
      value: hooks.value,
      changes: hooks.changes,
      existed: record?.settings.existed,
      write: (original) => settle(settings, hooks.value, original),
    })),
    ...(await restore({
      document: config,
      value: withEntry(config, plan),
      changes: plan.changes,
      existed: record?.server.existed,
      write: (original) => register(plan, { file: places.config, client, original }),
    })),
  ]
  if (record !== undefined) {
    steps.push({
      changes: [{ file: places.record, action: 'remove', detail: 'the record of what the install replaced' }],
      run: () => writeRecords(places.record, others),
    })
  }
  return carryOut(steps, print)
}

type Restoration = {
  document: Document
  value: JsonObject
  changes: Change[]
  existed: boolean | undefined
  write: (original: Document | undefined) => Promise<Change[] | void>
}

async function restore({ document, value, changes, existed, write }: Restoration): Promise<Step[]> {
  if (changes.length === 0) return []
  const { file } = document
  if (existed === false && Object.keys(value).length === 0) {
    const removal: Change = { file, action: 'remove', detail: 'the file, which the install made' }
    return [{ changes: [...changes, removal], run: () => removeFile(file) }, ...discardBackups(file)]
  }
  const original = await openOriginal(file, value)
  const step = { changes, run: () => write(original) }
  if (original) return [step, ...discardBackups(file)]
  return [...backUp(document, { installed: true }), step]
}
