import { isDeepStrictEqual } from 'node:util'
import { backUp } from './backup.ts'
import { findClient } from './client.ts'
import { openDocument } from './document.ts'
import { hookCommands } from './hooks.ts'
import { toPlaces } from './place.ts'
import { openRecords, writeRecords, type Install } from './record.ts'
import { register, settle } from './registration.ts'
import { carryOut, type Report, type Step } from './report.ts'
import { planRegistration, toServer } from './server.ts'
import { mergeHooks } from './settings.ts'

/** For whom, and what: the home directory and environment of the user, the Node and the package root to run. */
export type InstallOptions = {
  home: string
  env: NodeJS.ProcessEnv
  node: string
  root: string
  /** Only report what would be done. */
  print: boolean
}

/**
 * Registers the MCP server and the hooks for one user, in place of the predecessor's, and reports each change; a
 * second run changes nothing. Every file is read and checked before the first is written: an unusable one is an
 * InstallError, and all are as they were.
 */
export async function installInto({ home, env, node, root, print }: InstallOptions): Promise<Report> {
  const places = toPlaces(home, env)
  const settings = await openDocument(places.settings)
  const config = await openDocument(places.config)
  const records = await openRecords(places.record)

  const merge = mergeHooks(settings, hookCommands({ node, root }))
  const registration = planRegistration(config, toServer({ node, root }))
  const known = records.installs[places.configDir]
  const record = toRecord(known, { settings: merge.record, server: registration.record })
  const installed = known !== undefined || merge.hadOurs || registration.hadOurs

  const changesHooks = merge.changes.length > 0
  const changesServer = registration.changes.length > 0
  const steps: Step[] = []
  if (changesHooks) steps.push(...backUp(settings, { installed }))
  if (changesServer) steps.push(...backUp(config, { installed }))
  if ((changesHooks || changesServer) && !isDeepStrictEqual(known, record)) {
    const installs = { ...records.installs, [places.configDir]: record }
    steps.push({
      changes: [{ file: places.record, action: 'record', detail: 'what uninstall puts back' }],
      run: () => writeRecords(places.record, installs),
    })
  }
  if (changesHooks) steps.push({ changes: merge.changes, run: () => settle(settings, merge.value) })
  if (changesServer) {
    const client = findClient(home, env)
    const run = () => register(registration, { file: places.config, client })
    steps.push({ changes: registration.changes, run })
  }
  return carryOut(steps, print)
}

/** The first installation knew the original; a later one adds what has come back since, never our own entries. */
function toRecord(known: Install | undefined, now: Install): Install {
  if (known === undefined) return now
  const isNew = (loss: Install['settings']['replaced'][number]) =>
    !known.settings.replaced.some(
      ({ event, before }) => event === loss.event && isDeepStrictEqual(before, loss.before),
    )
  return {
    settings: {
      existed: known.settings.existed,
      blanks: { ...now.settings.blanks, ...known.settings.blanks },
      replaced: [...known.settings.replaced, ...now.settings.replaced.filter(isNew)],
    },
    server: {
      ...now.server,
      ...known.server,
      ...('replaced' in now.server && { replaced: now.server.replaced }),
    },
  }
}
