import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { listCards } from '../../../lib/machine/cards.ts'
import { toLabel } from '../../../lib/machine/processes.ts'
import { findPort } from '../../harness/port.ts'
import { AWAIT_TOOLS, runHeadless, type ClientOptions } from './client.ts'
import { clientEnvironment, createHome, type Home } from './home.ts'
import { installClaude } from './install.ts'
import { contextOf, startModel, type Model, type ModelRequest, type Responder } from './model.ts'
import { waitUntil } from './processes.ts'
import type { Interactive } from './terminal.ts'

type Project = 'api' | 'web'

/** A home with claude-peers installed through the real client, two projects, and a model that they all talk to. */
export type PeersRig = AsyncDisposable & {
  model: Model
  home: Home<Project>
  client(project: Project): ClientOptions
  /** Lets a session in `web` send a message with its tool, and gives what the tool answered. */
  send(to: string, message: string, options?: { urgency: 'fyi' }): Promise<string>
  /** Runs a command. A send waits until its recipient is registered: it goes to a session that a test has just started. */
  cli(...args: string[]): Promise<string>
  /** Resolves when the flag is up that tells a gate of waiting mail. */
  mailWaits(): Promise<void>
}

const CLI = join(import.meta.dirname, '../../../bin/claude-peers.cjs')
const run = promisify(execFile)

/** Makes the rig; `reply` may hold the model's answers back. */
export async function startPeersRig(
  version: string,
  { reply }: { reply?: Responder } = {},
): Promise<PeersRig> {
  const binary = await installClaude(version)
  await using stack = new AsyncDisposableStack()
  const model = stack.use(await startModel({ ...(reply && { reply }) }))
  const home = stack.use(await createHome({ projects: ['api', 'web'], git: true }))
  const peersEnv = { CLAUDE_PEERS_PORT: String(await findPort()), CLAUDE_PEERS_HOST: 'laptop' }
  const bin = join(home.path, 'bin')
  await mkdir(bin)
  await symlink(binary, join(bin, 'claude'))
  const base = clientEnvironment({ home, modelUrl: model.url })
  const env = { ...base, ...peersEnv, PATH: `${bin}:${base['PATH']}` }
  const sessions = join(home.path, '.claude-peers/sessions')
  const cli = async (...args: string[]) => {
    if (args[0] === 'send') await isRegistered(sessions, args.at(-2)!)
    return (await run(process.execPath, [CLI, ...args], { env })).stdout
  }
  await cli('install')

  const client = (project: Project): ClientOptions => ({
    binary,
    home,
    modelUrl: model.url,
    cwd: home.projects[project],
    env: peersEnv,
  })
  const started = stack.move()
  return {
    model,
    home,
    client,
    cli,
    async send(to, message, options) {
      const from = model.requests.length
      const call = `[[call mcp__claude-peers__send_message ${JSON.stringify({ to, message, ...options })}]]`
      await runHeadless({ ...client('web'), env: { ...peersEnv, ...AWAIT_TOOLS }, prompt: call })
      return contextOf(model.requests.slice(from).findLast(isOfProject(home.projects.web))!)
    },
    mailWaits: () =>
      waitUntil(async () => (await readdir(sessions)).some((name) => name.endsWith('.mail')), {
        timeoutMs: 10_000,
        failure: () => 'no mail flag was raised',
      }),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** The names of the files that sessions of the rig have. */
export const sessionFiles = (rig: PeersRig) => readdir(join(rig.home.path, '.claude-peers/sessions'))

/** Waits until a session of that name has its card: a client answers its first prompt, and runs its first tool, before that. */
async function isRegistered(sessions: string, name: string) {
  const isThere = () => listCards(sessions).some((card) => card.name === name)
  await waitUntil(isThere, { timeoutMs: 10_000, failure: () => `no session called ${name} is registered` })
}

/**
 * Speaks to a client that was just started until it has our tools: version 2.1.197 may send its first prompts before its
 * MCP servers have named theirs, and then a call answers "No such tool available".
 */
export async function awaitTools({ model, home }: PeersRig, terminal: Interactive, signal: AbortSignal) {
  const card = join(home.path, '.claude-peers/sessions', `${toLabel(terminal.claudePid())}.json`)
  const failure = () => 'the session is not registered'
  await waitUntil(() => existsSync(card), { timeoutMs: 30_000, failure, signal })
  // From here on the client needs a turn or two.
  for (let turn = 1, hasTools = false; !hasTools; turn++) {
    const from = model.requests.length
    await terminal.submit(`hello ${turn}`)
    const { body } = await model.waitForRequest(() => true, { from, signal })
    hasTools = JSON.stringify(body).includes('mcp__claude-peers__check_messages')
    await terminal.waitForScreen(new RegExp(`hello ${turn}\\b[^]*● done`))
  }
}

/** Whether a request comes from a session in that directory: the client names it in its first messages. */
export function isOfProject(directory: string): (request: ModelRequest) => boolean {
  return (request) => JSON.stringify(request.body).includes(directory)
}

/** A tool call that says when it runs, and ends when the test lets it. */
export function createLatch(home: Home, name: string) {
  const started = join(home.path, `${name}.started`)
  const released = join(home.path, `${name}.released`)
  return {
    directive: `[[call Bash ${JSON.stringify({
      command: `touch ${started}; while [ ! -e ${released} ]; do sleep 0.02; done`,
    })}]]`,
    started: () =>
      waitUntil(
        () =>
          readFile(started).then(
            () => true,
            () => false,
          ),
        {
          timeoutMs: 30_000,
          failure: () => `${name} never started`,
        },
      ),
    release: () => writeFile(released, ''),
  }
}

/** How often a text stands in what the model saw. */
export function occurrences(request: ModelRequest | undefined, text: string): number {
  return request ? contextOf(request).split(text).length - 1 : 0
}
