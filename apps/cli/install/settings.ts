import { isDeepStrictEqual } from 'node:util'
import { isObject, kindOf, type Document, type Json, type JsonObject } from './document.ts'
import { refusal } from './error.ts'
import { groupsOf, hooksIn, putBack, takeOut, type Loss } from './group.ts'
import { commandOf, isOurHook, isPredecessorHook, type Hooks } from './hooks.ts'
import type { SettingsRecord } from './record.ts'
import type { Change } from './report.ts'

/** The settings with our hooks in them, what that changed, and what it takes to undo it. */
export type Merge = { value: JsonObject; changes: Change[]; record: SettingsRecord; hadOurs: boolean }

/** Puts our hooks in and the predecessor's out; where ours stand already, the settings stay as they are. */
export function mergeHooks({ file, text, value }: Document, wanted: Hooks): Merge {
  const before = hooksOf(file, value)
  const after = { ...before }
  const record: SettingsRecord = {
    existed: text !== undefined,
    blanks: blankAt('hooks', value.hooks),
    replaced: [],
  }
  const changes: Change[] = []
  let hadOurs = false
  for (const event of new Set([...Object.keys(before), ...Object.keys(wanted)])) {
    const target = Object.hasOwn(wanted, event) ? (wanted[event] ?? []) : []
    if (target.length === 0 && !Array.isArray(before[event])) continue
    const ours = takeOut(groupsOf(before[event], { file, event }), isOurHook)
    const old = takeOut(ours.left, isPredecessorHook)
    hadOurs ||= ours.lost.length > 0
    if (old.lost.length === 0 && isDeepStrictEqual(ours.lost.map(wholeGroup), target)) continue
    Object.assign(record.blanks, blankAt(`hooks.${event}`, before[event]))
    record.replaced.push(...old.lost.map((loss) => ({ event, ...loss })))
    place(after, event, [...old.left, ...target])
    changes.push(...toChanges(old.lost, { file, event, action: 'remove', matches: isPredecessorHook }))
    const added = target.map((group, at) => ({ at, before: group, after: null }))
    const action = ours.lost.length === 0 ? 'add' : added.length > 0 ? 'replace' : 'remove'
    const shown = added.length > 0 ? added : ours.lost
    changes.push(...toChanges(shown, { file, event, action, matches: isOurHook }))
  }
  return { value: changes.length > 0 ? { ...value, hooks: after } : value, changes, record, hadOurs }
}

/** Takes our hooks out and puts the predecessor's back, and the blanks where nothing is left. */
export function removeHooks(
  { file, value }: Document,
  record: SettingsRecord | undefined,
): Pick<Merge, 'value' | 'changes'> {
  const { blanks = {}, replaced = [] } = record ?? {}
  const before = hooksOf(file, value)
  const after = { ...before }
  const changes: Change[] = []
  for (const event of new Set([...Object.keys(before), ...replaced.map((loss) => loss.event)])) {
    const losses = replaced.filter((loss) => loss.event === event)
    if (losses.length === 0 && !Array.isArray(before[event])) continue
    const { left, lost } = takeOut(groupsOf(before[event], { file, event }), isOurHook)
    // Present already: an uninstall that was cut short, or a user who was faster.
    const missing = losses.filter((loss) => !left.some((group) => isDeepStrictEqual(group, loss.before)))
    if (lost.length === 0 && missing.length === 0) continue
    place(after, event, putBack(left, missing, isPredecessorHook), blanks[`hooks.${event}`])
    changes.push(...toChanges(lost, { file, event, action: 'remove', matches: isOurHook }))
    changes.push(...toChanges(missing, { file, event, action: 'restore', matches: isPredecessorHook }))
  }
  if (changes.length === 0) return { value, changes }
  const result: JsonObject = { ...value, hooks: after }
  if (Object.keys(after).length === 0) place(result, 'hooks', [], blanks.hooks)
  return { value: result, changes }
}

function hooksOf(file: string, { hooks }: JsonObject): JsonObject {
  if (hooks === undefined || hooks === null) return {}
  if (isObject(hooks)) return hooks
  throw refusal(`${file}: "hooks" is ${kindOf(hooks)} where an object belongs`, 'correct it')
}

function blankAt(path: string, value: Json | undefined): Record<string, Json> {
  const blank = value === null || (typeof value === 'object' && Object.keys(value).length === 0)
  return blank ? { [path]: value } : {}
}

/** Sets a list where there is one, else what stood there before us, else nothing at all. */
function place(target: JsonObject, key: string, list: Json[], blank?: Json): void {
  if (list.length > 0) target[key] = list
  else if (blank !== undefined) target[key] = blank
  else delete target[key]
}

function wholeGroup({ before, after }: Loss): Json {
  return after === null ? before : null
}

type Subject = { file: string; event: string; action: Change['action']; matches: (hook: Json) => boolean }

function toChanges(losses: Loss[], { file, event, action, matches }: Subject): Change[] {
  return losses.flatMap(({ before }) =>
    hooksIn(before)
      .filter(matches)
      .map((hook) => ({ file, action, detail: `hooks.${event}: ${commandOf(hook)}` })),
  )
}
