import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { basename, isAbsolute, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { withoutGitVariables } from './environment.ts'

/** Where a session works: the repository root (else the directory itself) and the branch. */
export type Project = { cwd: string; root: string; isRepo: boolean; branch: string | undefined }

const run = promisify(execFile)
/** Less than the 500 that the hub takes: a path may have 4,096. */
const MAX_SUMMARY_CHARS = 300

/** Asks git about a directory. No git, no repository, or no answer within a second: the directory stands alone. */
export async function readProject(directory: string): Promise<Project> {
  const cwd = toRealPath(directory)
  const [root, branch] = await Promise.all([
    git(cwd, ['rev-parse', '--show-toplevel']),
    // Unlike rev-parse, this also answers on a branch without commits.
    git(cwd, ['symbolic-ref', '--quiet', '--short', 'HEAD']),
  ])
  // The configuration of a repository that was opened may name any directory as its root (core.worktree).
  return root !== undefined && contains(root, cwd)
    ? { cwd, root, isRepo: true, branch }
    : { cwd, root: cwd, isRepo: false, branch: undefined }
}

/** The first summary of a session, from what is at hand; no outside service is asked. */
export function toSummary(project: Project): string {
  const place = basename(project.root) || project.root
  const inside = project.cwd === project.root ? '' : ` in ${project.cwd.slice(project.root.length + 1)}`
  const summary = `Working on ${place}${inside}${project.branch ? ` (branch ${project.branch})` : ''}`
  return summary.length > MAX_SUMMARY_CHARS ? `${summary.slice(0, MAX_SUMMARY_CHARS - 1)}…` : summary
}

function contains(root: string, directory: string): boolean {
  const way = relative(root, directory)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** A directory that was deleted under its session still has the name it had. */
function toRealPath(directory: string): string {
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
