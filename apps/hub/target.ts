import type { IncomingMessage } from 'node:http'
import { MOUNT } from '#router/wire'
import { MAX_BATCH } from './http.ts'
import { remember } from './remember.ts'

/** What a request line names. */
export type Target = Place & {
  query: URLSearchParams
  /** How many calls it makes: those of a batch count each. */
  cost: number
}
type Place = {
  pathname: string
  /** What is called, as it was sent: below the mount, with commas between the procedures of a batch. */
  path: string | undefined
  /** The same in plain letters. */
  procedures: string
}

/** What a request is for. `undefined`: a whole URL must be of the Host, as that one was looked at, and this is none. */
export function readTarget({ url = '/', headers }: IncomingMessage): Target | undefined {
  if (!url.startsWith('/')) {
    const parsed = URL.parse(url)
    const isOurs = parsed && parsed.host === headers.host?.toLowerCase()
    return isOurs ? toTarget(toPlace(parsed), parsed.searchParams) : undefined
  }
  const hash = url.indexOf('#')
  const named = hash < 0 ? url : url.slice(0, hash)
  const end = named.indexOf('?')
  if (end < 0) return toTarget(placeOf(named), NO_QUERY)
  return toTarget(placeOf(named.slice(0, end)), new URLSearchParams(named.slice(end)))
}

const NO_QUERY = new URLSearchParams()

function toTarget(place: Place, query: URLSearchParams): Target {
  const isBatch = query.get('batch') === '1'
  const cost = isBatch ? Math.min(place.procedures.split(',').length, MAX_BATCH) : 1
  return { ...place, query, cost }
}

/** A path never fails to parse behind a host of ours. */
const placeOf = remember((path) => toPlace(new URL(`http://hub${path}`)))

function toPlace({ pathname }: URL): Place {
  const path = pathname.startsWith(MOUNT) ? pathname.slice(MOUNT.length) : undefined
  return { pathname, path, procedures: decodePath(path ?? '') }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
