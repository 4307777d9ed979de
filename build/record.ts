import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What `dist` holds, as the last build left it. */
export type Record = {
  /** Of the sources it was built of; `null` while files are put in their places. */
  fingerprint: string | null
  files: string[]
  /** Files of earlier builds that programs may still load, and since when no new program does, in ms of the epoch. */
  superseded: { [file: string]: number }
}

const NONE: Record = { fingerprint: null, files: [], superseded: {} }

/** The record of the last build; an empty one where there is none that can be read. */
export function readRecord(work: string): Record {
  try {
    return { ...NONE, ...(JSON.parse(readFileSync(toPath(work), 'utf8')) as Partial<Record>) }
  } catch {
    return NONE
  }
}

/** Keeps the record; a build that is killed while it writes is an unfinished one. */
export function writeRecord(work: string, record: Record): void {
  writeFileSync(toPath(work), JSON.stringify(record))
}

/** Whether `dist` is the whole build of these sources. */
export const isCurrent = ({ files, ...record }: Record, fingerprint: string, dist: string): boolean =>
  record.fingerprint === fingerprint && files.every((file) => existsSync(join(dist, file)))

const toPath = (work: string) => join(work, 'built.json')
