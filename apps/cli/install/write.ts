import { mkdir, readlink, realpath, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { InstallError } from './error.ts'

/** Replaces a file in one rename; its mode and owner stay, and a link stays a link to the file that is replaced. */
export async function writeText(file: string, text: string, mode?: number): Promise<void> {
  try {
    const target = await followLink(file)
    await mkdir(dirname(target), { recursive: true })
    await writeFileAtomic(target, text, mode === undefined ? {} : { mode })
  } catch (error) {
    throw new InstallError(
      `${file} cannot be written: ${(error as Error).message}. Make it writable, then run this again.`,
      { cause: error },
    )
  }
}

/** Removes a file that we made; where a link leads to it, the link stays as it was before us. */
export async function removeFile(file: string): Promise<void> {
  await rm(await realpath(file))
}

/** The permission bits of a file, or undefined where there is none. */
export async function modeOf(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined)
  return found && found.mode & 0o777
}

/** write-file-atomic resolves links that lead to a file; one whose file does not exist yet it would replace. */
async function followLink(file: string): Promise<string> {
  const link = await readlink(file).catch(() => undefined)
  return link === undefined ? file : resolve(dirname(file), link)
}
