/**
 * Sessions start, resume, fork, are cleared, open twice, crash, close and are only looked at, and their repositories are
 * moved and replaced, in any order. A model beside the database knows who is alive, and which project each seat is of.
 */
import { array, assert, constantFrom, nat, property, record } from 'fast-check'
import { expect, test } from 'vitest'
import { LAPTOP, openWorld, type World } from './harness.ts'

type Project = { number: number; root: string; place: string; remote: string | undefined }
type Session = { seat: string; name: string; project: Project; ids: string[]; pid: number }

const steps = array(
  record({
    do: constantFrom(
      ...(['start', 'start', 'resume', 'fork', 'twice', 'clear', 'reconnect', 'close', 'crash'] as const),
      ...(['check', 'send', 'move', 'replace'] as const),
    ),
    who: nat(9),
  }),
  { maxLength: 40, size: 'max' },
)

test('no live session loses its name or mail to another, and mail goes to no other project', () => {
  assert(
    property(steps, (taken) => {
      using world = openWorld()
      const office = openOffice(world)
      for (const step of taken) {
        office[step.do](step.who)
        office.verify()
      }
    }),
    { numRuns: 60 },
  )
})

function openOffice(world: World) {
  const sender = world.join('sender')
  const projects: Project[] = []
  const live: Session[] = []
  const ended: Session[] = []
  const projectOf = new Map<string, number>()
  let count = 0

  /** Every project is called api, and every other one has an origin. */
  function addProject(root: string) {
    const number = projects.length
    projects.push({
      number,
      root,
      place: `place-${number}`,
      remote: number % 2 ? `origin-${number}` : undefined,
    })
  }
  const move = (project: Project) => void (project.root = `/at/${++count}/api`)
  for (const root of ['/at/a/api', '/at/b/api', '/at/c/api']) addProject(root)

  function register(project: Project, { sessionId = `id-${++count}`, pid = ++count } = {}) {
    const { root, place, remote } = project
    const formerRoots = world.database
      .formerRoots({ machine: LAPTOP, root, place, remote })
      .filter((former) => former.isSamePlace || projects.every((other) => other.root !== former.root))
      .map((former) => former.root)
    const { peer, origin } = world.register({
      root,
      cwd: root,
      place,
      remote,
      formerRoots,
      sessionId,
      pid,
      pidStart: `start-${pid}`,
      pidNamespace: 'n',
    })
    return { origin, seat: peer.id, name: peer.name, project, ids: [sessionId], pid }
  }

  function begin(project: Project, known?: Session) {
    const { origin, ...session } = register(project, known && { sessionId: known.ids.at(-1)! })
    expect(live.map(({ seat }) => seat)).not.toContain(session.seat)
    if (origin === 'new') projectOf.set(session.seat, project.number)
    // Also one that is resumed comes back where it was: it never worked in another project.
    expect(projectOf.get(session.seat)).toBe(project.number)
    world.held.add(session.seat)
    live.push(session)
  }

  const end = (session: Session) => {
    live.splice(live.indexOf(session), 1)
    world.held.delete(session.seat)
    ended.push(session)
  }
  const withLive = (work: (session: Session) => void) => (who: number) => {
    if (live.length > 0) work(live[who % live.length]!)
  }
  const withProject = (work: (project: Project) => void) => (who: number) =>
    work(projects[who % projects.length]!)
  const known = () => world.database.peers.list(0).map((row) => ({ ...row, changedSeq: 0 }))

  return {
    start: withProject((project) => begin(project)),
    fork: withLive(({ project }) => begin(project)),
    twice: withLive((session) => begin(session.project, session)),
    close: withLive(end),
    crash: withLive(end),
    send: withLive(({ seat }) => void world.send(sender, seat)),
    move: withProject(move),
    /** Another project takes the place of one that is moved away. */
    replace: withProject((project) => {
      const { root } = project
      move(project)
      addProject(root)
      begin(projects.at(-1)!)
    }),
    resume(who: number) {
      const session = ended[who % Math.max(1, ended.length)]
      if (session) begin(session.project, session)
    },
    clear: withLive((session) => {
      session.ids.push(`id-${++count}`)
      world.commit(() => world.database.peers.bindSession(session.seat, session.ids.at(-1)!))
    }),
    /** Its server may still say the id from before. */
    reconnect: withLive(({ project, ids, pid, seat }) => {
      expect(register(project, { sessionId: ids[0]!, pid })).toMatchObject({ origin: 'same-process', seat })
    }),
    /** A server of a health check. */
    check: withProject((project) => {
      const before = known()
      const { seat } = register(project)
      world.commit(() => world.database.withdraw(seat))
      expect(known()).toEqual(before)
    }),
    verify() {
      for (const { seat, name, pid, ids } of live) {
        expect(world.database.peers.get(seat)).toMatchObject({ name, pid, sessionId: ids.at(-1) })
      }
    },
  }
}
