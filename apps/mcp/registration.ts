import type { Card } from '#machine/cards'
import type { Config } from '#machine/config'
import { readMachineId } from '#machine/machine-id'
import { toSummary, type Project } from '#machine/project'
import type { Sender } from '#machine/spool'
import type { ClaudeProcess } from './identity.ts'

export type SessionFacts = {
  claude: ClaudeProcess
  readProject: () => Promise<Project>
  /** What the client said at the start of this process. */
  sessionId: string | undefined
  /** The card that is there, whose hooks may know of newer ids. */
  found: Card | undefined
  /** The session's own words. */
  summary: string | undefined
}

/** What a session says of itself to the hub, and the ids that it has had, the newest last. */
export async function describeSession(
  { paths, host }: Config,
  { claude, readProject, sessionId, found, summary }: SessionFacts,
): Promise<{ sessionIds: string[]; registration: Sender['registration'] }> {
  const project = await readProject()
  const sessionIds = found?.sessionIds.length ? found.sessionIds : [sessionId ?? []].flat()
  const registration: Sender['registration'] = {
    machine: { id: readMachineId(paths.machineId), host },
    kind: 'session',
    directory: project.cwd,
    root: project.root,
    isRepo: project.isRepo,
    branch: project.branch,
    summary: summary ?? toSummary(project),
    process: { pid: claude.pid, start: claude.start, namespace: claude.namespace },
    sessionId: sessionIds.at(-1),
  }
  return { sessionIds, registration }
}
