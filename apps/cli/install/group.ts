import { isDeepStrictEqual } from 'node:util'
import { refusal } from './error.ts'
import { isObject, kindOf, type Json } from './document.ts'
import type { Replaced } from './record.ts'

/** A group that lost hooks: where it stood, what it was, and what is left of it (null: nothing). */
export type Loss = Omit<Replaced, 'event'>

/** The groups of one event; null and missing count as none, any other shape is an InstallError. */
export function groupsOf(value: Json | undefined, { file, event }: { file: string; event: string }): Json[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value
  throw refusal(`${file}: hooks.${event} is ${kindOf(value)} where an array belongs`, 'correct it')
}

/** Takes the matching hooks out of the groups and leaves every other hook, group and oddity where it is. */
export function takeOut(groups: Json[], matches: (hook: Json) => boolean): { left: Json[]; lost: Loss[] } {
  const left: Json[] = []
  const lost: Loss[] = []
  for (const [at, group] of groups.entries()) {
    const hooks = hooksIn(group)
    const others = hooks.filter((hook) => !matches(hook))
    if (!isObject(group) || others.length === hooks.length) {
      left.push(group)
      continue
    }
    const after = others.length > 0 ? { ...group, hooks: others } : null
    if (after) left.push(after)
    lost.push({ at, before: group, after })
  }
  return { left, lost }
}

/** Puts lost groups back to their places; of one that was changed since, only the matching hooks, in a group of their own. */
export function putBack(groups: Json[], losses: Loss[], matches: (hook: Json) => boolean): Json[] {
  let result = groups
  for (const { at, before, after } of losses.toSorted((a, b) => a.at - b.at)) {
    const spot = after === null ? -1 : indexOf(result, after, at)
    if (spot >= 0) result = result.with(spot, before)
    else result = result.toSpliced(at, 0, after === null ? before : onlyMatching(before, matches))
  }
  return result
}

/** The hooks of a group, whatever shape it has. */
export function hooksIn(group: Json): Json[] {
  return isObject(group) && Array.isArray(group.hooks) ? group.hooks : []
}

function indexOf(groups: Json[], wanted: Json, at: number): number {
  if (isDeepStrictEqual(groups[at], wanted)) return at
  return groups.findIndex((group) => isDeepStrictEqual(group, wanted))
}

function onlyMatching(group: Json, matches: (hook: Json) => boolean): Json {
  return isObject(group) ? { ...group, hooks: hooksIn(group).filter(matches) } : group
}
