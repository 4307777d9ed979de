import type { Config } from '#machine/config'
import { readMachineId } from '#machine/machine-id'
import { toSummary, type Project } from '#machine/project'
import type { Sender } from '#machine/spool'
import type { ClaudeProcess } from './identity.ts'

/** What a session says of itself to the hub. */
export function toRegistration(
  { paths, host }: Config,
  session: {
    project: Project
    claude: ClaudeProcess
    sessionId: string | undefined
    summary: string | undefined
  },
): Sender['registration'] {
  const { project, claude, sessionId, summary } = session
  return {
    machine: { id: readMachineId(paths.machineId), host },
    kind: 'session',
    directory: project.cwd,
    root: project.root,
    isRepo: project.isRepo,
    branch: project.branch,
    summary: summary ?? toSummary(project),
    process: { pid: claude.pid, start: claude.start },
    sessionId,
  }
}
