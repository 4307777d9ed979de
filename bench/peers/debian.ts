/**
 * Programs of Debian: the one that is installed, or else its package and what that needs, unpacked into a cache. So
 * nothing is installed for anybody else, no service is started, and it takes no root.
 */
import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** A program, and the environment that it needs to find its libraries. */
export type Program = { path: string; version: string; env: Record<string, string> }

const run = promisify(execFile)
const SYSTEM_PATHS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin']

/** The program of a package of the same name. Rejects with the reason why it cannot be had. */
export async function findProgram(name: string): Promise<Program> {
  const env = { PATH: SYSTEM_PATHS.join(delimiter) }
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_PATHS]) {
    const path = join(directory, name)
    if (await isThere(path)) return { path, version: await versionOf(path, env), env }
  }
  const root = await unpack(name)
  const libraries = await directoriesBelow(join(root, 'usr/lib'))
  const unpacked = { ...env, LD_LIBRARY_PATH: libraries.join(delimiter) }
  for (const directory of ['usr/sbin', 'usr/bin']) {
    const path = join(root, directory, name)
    if (await isThere(path)) return { path, version: await versionOf(path, unpacked), env: unpacked }
  }
  throw new Error(`the package ${name} holds no program of that name`)
}

async function unpack(name: string): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'claude-peers-bench')
  const target = join(cache, name)
  if (await isThere(target)) return target
  await mkdir(cache, { recursive: true })
  const staging = await mkdtemp(`${target}.partial-`)
  try {
    const packages = await missingPackages(name)
    process.stderr.write(`unpacking ${packages.join(', ')} into ${target} (once)\n`)
    const [archives, root] = [join(staging, 'archives'), join(staging, 'root')]
    await mkdir(archives)
    await run('apt-get', ['download', ...packages], { cwd: archives })
    for (const archive of await readdir(archives))
      await run('dpkg-deb', ['--extract', join(archives, archive), root])
    await rename(root, target)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return target
}

/** What an installation of the package would bring, which is only simulated. */
async function missingPackages(name: string): Promise<string[]> {
  const words = ['install', '--simulate', '--no-install-recommends', name]
  const env = { ...process.env, LC_ALL: 'C' }
  const simulate = () => run('apt-get', words, { env })
  const { stdout } = await simulate().catch(async () => {
    // A machine that has just been made has no lists of packages yet.
    await run('apt-get', ['update'], { env })
    return simulate()
  })
  return [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, found]) => found!)
}

async function directoriesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  return [directory, ...entries.filter((one) => one.isDirectory()).map((one) => join(directory, one.name))]
}

const versionOf = async (path: string, env: Record<string, string>) =>
  /\d+\.\d+[\d.]*/.exec((await run(path, ['--version'], { env })).stdout)?.[0] ?? 'of unknown version'

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )
