import type { Card } from '#machine/cards'
import type { Config } from '#machine/config'
import { readMachineId } from '#machine/machine-id'
import { readPlace, toRealPath, toSummary, type Project } from '#machine/project'
import { existsSync } from 'node:fs'
import type { HubClient } from '#client/connect'
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
    machine: { id: readMachineId(paths.machineId), host, home: toRealPath(paths.home) },
    kind: 'session',
    directory: project.cwd,
    root: project.root,
    isRepo: project.isRepo,
    repository: project.repository,
    remote: project.remote,
    place: project.place,
    branch: project.branch,
    summary: summary ?? toSummary(project),
    process: { pid: claude.pid, start: claude.start, namespace: claude.namespace },
    sessionId: sessionIds.at(-1),
  }
  return { sessionIds, registration }
}

/**
 * Adds the roots of before that are gone, so that a project that was moved gets its seat back. Only this machine can
 * look. A root is gone when nothing is there, or when what stood there is what is here now.
 */
export async function withFormerRoots(
  hub: HubClient['hub'],
  registration: Sender['registration'],
): Promise<Sender['registration']> {
  const { machine, root, remote, place } = registration
  if (remote === undefined && place === undefined) return registration
  const { roots } = await hub.peers.formerRoots
    .query({ machine, root, remote, place })
    .catch(() => ({ roots: [] }))
  const isGone = (former: (typeof roots)[number]) =>
    !existsSync(former.root) || (former.isSamePlace && readPlace(former.root) !== place)
  return { ...registration, formerRoots: roots.filter(isGone).map((former) => former.root) }
}
