import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { realpathSync, statSync } from 'node:fs'
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { promisify } from 'node:util'
import { withoutGitVariables } from './environment.ts'

/**
 * Where a session works: the repository root (else the directory itself) and the branch. `repository` is the common git
 * directory of all worktrees. `remote` and `place` tell a project whose path is another: a digest of the URL of its
 * origin, and inode and birth of its `.git`, else of the root.
 */
export type Project = {
  cwd: string
  root: string
  isRepo: boolean
  branch: string | undefined
  repository: string | undefined
  remote: string | undefined
  place: string | undefined
}

const run = promisify(execFile)
/** Less than the 500 that the hub takes: a path may have 4,096. */
const MAX_SUMMARY_CHARS = 300

/**
 * Asks git about a directory. No git, no repository, no answer within a second, or a root that the directory does not
 * lie in: the directory stands alone.
 */
export async function readProject(directory: string): Promise<Project> {
  const cwd = toRealPath(directory)
  const [paths, branch, remotes] = await Promise.all([
    git(cwd, ['rev-parse', '--show-toplevel', '--git-common-dir']),
    // Unlike rev-parse, this also answers on a branch without commits.
    git(cwd, ['symbolic-ref', '--quiet', '--short', 'HEAD']),
    git(cwd, ['config', '--get-regexp', String.raw`^remote\..*\.url$`]),
  ])
  const [, root, common] = /^([^]+)\n(.+)$/.exec(paths ?? '') ?? []
  if (root === undefined || common === undefined || !liesIn(cwd, root)) return toPlain(cwd)
  const repository = toRealPath(resolve(cwd, common))
  const remote = toRemote(remotes)
  return { cwd, root, isRepo: true, branch, repository, remote, place: readPlace(root) }
}

/**
 * What tells a directory from every other that has its path at some time: inode and birth of its `.git`, else of itself.
 * An inode alone is given again at once; a device has another number after a boot. `undefined` where there is none, or
 * no time of birth.
 */
export function readPlace(root: string): string | undefined {
  const found = statOf(join(root, '.git')) ?? statOf(root)
  return found && found.birthtimeNs > 0n ? `${found.ino}:${found.birthtimeNs}` : undefined
}

function statOf(path: string) {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

const toPlain = (cwd: string): Project => ({
  cwd,
  root: cwd,
  isRepo: false,
  branch: undefined,
  repository: undefined,
  remote: undefined,
  place: readPlace(cwd),
})

/** The first summary of a session, from what is at hand; no outside service is asked. */
export function toSummary(project: Project): string {
  const place = basename(project.root) || project.root
  const inside = project.cwd === project.root ? '' : ` in ${project.cwd.slice(project.root.length + 1)}`
  const summary = `Working on ${place}${inside}${project.branch ? ` (branch ${project.branch})` : ''}`
  return summary.length > MAX_SUMMARY_CHARS ? `${summary.slice(0, MAX_SUMMARY_CHARS - 1)}…` : summary
}

/** A setting or a variable can name any root; mail of that one would come to a session that does not work there. */
function liesIn(cwd: string, root: string): boolean {
  const path = relative(toRealPath(root), cwd)
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path)
}

/** A digest of the URL of the origin, else of the first remote; credentials in it, and how it is reached, do not count. */
function toRemote(lines: string | undefined): string | undefined {
  const remotes = (lines ?? '').split('\n').flatMap((line) => {
    const [, name, url] = /^remote\.(.*)\.url (.+)$/.exec(line) ?? []
    return name === undefined || url === undefined ? [] : [{ name, url }]
  })
  const { url } = remotes.find(({ name }) => name === 'origin') ?? remotes[0] ?? {}
  if (url === undefined) return undefined
  const bare = url
    .replace(/^\w+:\/\//, '')
    .replace(/^[^/@]*@/, '')
    .replace(/^([^/:]+):(?!\d+\/)/, '$1/')
    .replace(/(\.git)?\/*$/, '')
  return createHash('sha256').update(bare).digest('hex').slice(0, 32)
}

/** A directory that was deleted under its session still has the name it had. */
export function toRealPath(directory: string): string {
  try {
    return realpathSync(directory)
  } catch {
    return directory
  }
}

async function git(cwd: string, args: string[]): Promise<string | undefined> {
  try {
    const env = withoutGitVariables(process.env)
    // A bare repository that a project carries is not the one that its user works in.
    const given = ['-C', cwd, '-c', 'safe.bareRepository=explicit', ...args]
    const { stdout } = await run('git', given, { timeout: 1_000, env })
    return stdout.trim() || undefined
  } catch {
    return undefined
  }
}
