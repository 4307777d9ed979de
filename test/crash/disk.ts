/**
 * A directory as a disk may hold it after a power cut. What was synced is there; of what was written since, nothing,
 * everything, or any part in sectors of 512 bytes. Names are as durable as their directory's last sync; of the later
 * changes of names, which journaling file systems keep in order, any first part may have come to the disk.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Chance } from './chance.ts'
import type { DiskEvent } from './disk-log.ts'

const SECTOR = 512

type Change = { offset: number; data: Buffer } | { length: number }
type Inode = { synced: Buffer; later: Change[] }
type NameChange = { bind?: [string, Inode]; drop?: string }

/** The ways in which a power cut may leave what was not synced. */
export const REMAINS = ['nothing', 'everything', 'names without bytes', 'some sectors'] as const
export type Remains = (typeof REMAINS)[number]
export type Files = Map<string, Buffer>

export type Disk = {
  apply(event: DiskEvent): void
  /** The files of the directory after a cut at this moment. */
  cut(remains: Remains, chance: Chance): Files
}

/** A disk that holds `directory` as it is now, with everything synced. `trusts` says which syncs it heeds. */
export function createDisk(directory: string, trusts: (name: string) => boolean = () => true): Disk {
  const inodes = new Map<number, Inode>()
  let synced = new Map<string, Inode>()
  let names = new Map<string, Inode>()
  let later: NameChange[] = []
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(directory, entry.name)
    const inode: Inode = { synced: readFileSync(path), later: [] }
    inodes.set(statSync(path).ino, inode)
    synced.set(path, inode)
  }
  names = new Map(synced)

  function change(one: NameChange) {
    later.push(one)
    rename(names, one)
  }

  function sync(inode: number, name: string) {
    if (!trusts(name)) return
    if (name === directory) {
      for (const one of later) rename(synced, one)
      later = []
      return
    }
    const file = inodes.get(inode)
    if (!file) return
    file.synced = withChanges(file.synced, file.later)
    file.later = []
  }

  return {
    apply(event) {
      switch (event.kind) {
        case 'write':
          inodes.get(event.inode)?.later.push({ offset: event.offset, data: event.data })
          break
        case 'size':
          inodes.get(event.inode)?.later.push({ length: event.length })
          break
        case 'sync':
          sync(event.inode, event.name)
          break
        case 'create': {
          const made: Inode = { synced: Buffer.alloc(0), later: [] }
          inodes.set(event.inode, made)
          change({ bind: [event.name, made] })
          break
        }
        case 'rename':
          change({ bind: [event.to, names.get(event.name)!], drop: event.name })
          break
        case 'link':
          change({ bind: [event.to, names.get(event.name)!] })
          break
        case 'unlink':
          change({ drop: event.name })
          break
        case 'answer':
          break
      }
    },
    cut(remains, chance) {
      const left = new Map(synced)
      const kept = { nothing: 0, everything: later.length, 'names without bytes': later.length }
      const count = remains === 'some sectors' ? chance.between(0, later.length) : kept[remains]
      for (const one of later.slice(0, count)) rename(left, one)
      return new Map(
        [...left].map(([name, inode]) => [
          name,
          withChanges(inode.synced, keep(inode.later, remains, chance)),
        ]),
      )
    },
  }
}

function rename(names: Map<string, Inode>, { bind, drop }: NameChange) {
  if (drop !== undefined) names.delete(drop)
  if (bind) names.set(...bind)
}

function keep(later: Change[], remains: Remains, chance: Chance): Change[] {
  if (remains === 'everything') return later
  if (remains !== 'some sectors') return []
  return later.flatMap(toSectors).filter(() => chance.between(0, 1) === 1)
}

function toSectors(change: Change): Change[] {
  if ('length' in change) return [change]
  const { offset, data } = change
  const sectors: Change[] = []
  for (let at = 0; at < data.length;) {
    const size = Math.min(SECTOR - ((offset + at) % SECTOR), data.length - at)
    sectors.push({ offset: offset + at, data: data.subarray(at, at + size) })
    at += size
  }
  return sectors
}

function withChanges(bytes: Buffer, changes: Change[]): Buffer {
  let size = bytes.length
  const most = changes.reduce(
    (found, one) => Math.max(found, 'length' in one ? one.length : one.offset + one.data.length),
    size,
  )
  const result = Buffer.alloc(most)
  bytes.copy(result)
  for (const one of changes) {
    if ('length' in one) {
      if (one.length < size) result.fill(0, one.length, size)
      size = one.length
    } else {
      one.data.copy(result, one.offset)
      size = Math.max(size, one.offset + one.data.length)
    }
  }
  return result.subarray(0, size)
}
