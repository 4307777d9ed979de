import { cp, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Another installation of claude-peers, as it would be with another version; gone when it is disposed. */
export type Installation = AsyncDisposable & { root: string; version: string }

/** Copies what is published of this checkout, and has it say that it is another version. */
export async function installVersion(version: string): Promise<Installation> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-version-')))
  for (const name of ['dist', 'drizzle', 'bin'])
    await cp(join(root, name), join(path, name), { recursive: true })
  await symlink(await realpath(join(root, 'node_modules')), join(path, 'node_modules'))
  const manifest = await readFile(join(root, 'package.json'), 'utf8')
  const { version: own } = JSON.parse(manifest) as { version: string }
  await writeFile(
    join(path, 'package.json'),
    manifest.replace(`"version": "${own}"`, `"version": "${version}"`),
  )
  for (const name of await readdir(join(path, 'dist'))) {
    if (!/\.c?js$/.test(name)) continue
    const text = await readFile(join(path, 'dist', name), 'utf8')
    // What the bundler made of the manifest.
    await writeFile(join(path, 'dist', name), text.replaceAll(`version = "${own}"`, `version = "${version}"`))
  }
  return {
    root: path,
    version,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
