import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type SmallDisk = Disposable & {
  path: string
  /** Writes a file that leaves so many bytes free. */
  fill(left?: number): void
  /** Makes files until no inode is left. */
  fillInodes(): void
  /** Removes what was filled in. */
  free(): void
}

/** A file system of its own in memory, with so many MiB and inodes; needs root. */
export function mountSmallDisk({ mib = 32, inodes = 0 } = {}): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'claude-peers-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,nr_inodes=${inodes},mode=700`, 'tmpfs', path])
  let inodeFiles = 0
  const filler = join(path, 'filler')
  return {
    path,
    fill(left = 0) {
      const { bavail, bsize } = statfsSync(path)
      const bytes = bavail * bsize - left
      if (bytes > 0) writeFileSync(filler, Buffer.alloc(bytes), { flag: 'a' })
    },
    fillInodes() {
      try {
        for (;;) writeFileSync(`${filler}-${inodeFiles++}`, '')
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause
      }
    },
    free() {
      rmSync(filler, { force: true })
      for (let file = 0; file < inodeFiles; file++) rmSync(`${filler}-${file}`, { force: true })
    },
    [Symbol.dispose]() {
      // What a hub still holds open must not keep the directory.
      execFileSync('umount', ['-l', path])
      rmSync(path, { recursive: true })
    },
  }
}
