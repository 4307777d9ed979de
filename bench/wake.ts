/** What it takes to wake a session: from the send of a message to the model's request, in the real client. */
import { execFile } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PACKAGE_ROOT } from '../lib/machine/package.ts'
import { runHeadless, type ClientOptions } from '../test/e2e/claude/client.ts'
import { createHome as createClientHome, type Hooks, type McpServer } from '../test/e2e/claude/home.ts'
import { CLAUDE_VERSIONS, installClaude } from '../test/e2e/claude/install.ts'
import { contextOf, startModel, type Model } from '../test/e2e/claude/model.ts'
import { startPeersRig } from '../test/e2e/claude/peers.ts'
import { startInteractive } from '../test/e2e/claude/terminal.ts'
import type { Home } from '../test/harness/home.ts'
import { joinAs } from '../test/harness/peer.ts'
import { waitFor } from '../test/harness/wait.ts'
import { interleave, timed, type Samples } from './measure.ts'
import { amount } from './options.ts'
import { benchRing } from './ring.ts'
import { toBoundRow, toRow, type Row } from './table.ts'

const run = promisify(execFile)
const RINGS = amount(20, 2)
const HEADLESS_ROUNDS = amount(8, 1)
/** The bound of the project's plan, for the 95th of 100 rings. */
const BOUND_MS = 300

export async function benchWake(): Promise<Row[]> {
  const rows = await benchRing()
  for (const version of CLAUDE_VERSIONS) {
    rows.push(...(await wakeClient(version)))
  }
  for (const version of CLAUDE_VERSIONS) rows.push(...(await runWithAndWithout(version)))
  return rows
}

/** From the call that sends to the arrival of the request that holds the message. */
async function wakeClient(version: string): Promise<Row[]> {
  await using rig = await startPeersRig(version)
  await using terminal = await startInteractive(rig.client('api'))
  await terminal.submit('hello')
  await terminal.waitForScreen(/● done/)
  const { path } = rig.home
  const env = { HOME: path, CLAUDE_PEERS_PORT: '0', CLAUDE_PEERS_HOST: 'laptop' }
  await using web = await joinAs({ path, env } as unknown as Home, 'sender')
  const samples: Samples = []
  const node: Samples = []
  for (let ring = 0; ring < RINGS; ring++) {
    await waitFor(() => isAtRest(path), 'the session to wait')
    const text = `This is ring ${ring} of the bell.`
    samples.push(
      await timed(async () => {
        const request = rig.model.waitForRequest((one) => contextOf(one).includes(text))
        await Promise.all([web.send('api', text), request])
      }),
    )
    // What the machine is like at the time: the woken turn starts one such process.
    node.push(await timed(() => run(process.execPath, ['-e', '0'])))
  }
  const measure = `a message is in a request of Claude Code ${version}`
  return [
    toBoundRow({
      measure: `${measure}, ${RINGS} times, p95`,
      samples,
      share: 0.95,
      most: BOUND_MS,
      unit: 'ms',
    }),
    toRow({ measure: `${measure}, against \`node -e 0\``, subject: samples, baseline: node }),
  ]
}

async function isAtRest(home: string): Promise<boolean> {
  const names = await readdir(join(home, '.claude-peers/sessions'))
  return names.some((name) => name.endsWith('.waiter')) && !names.some((name) => /\.(busy|mail)$/.test(name))
}

/**
 * A headless run, whole and from the model's answer to its exit: with claude-peers, with another MCP server and hooks
 * that do nothing in its place, and with neither. The client takes some 45 ms to end any MCP server.
 */
async function runWithAndWithout(version: string): Promise<Row[]> {
  await using rig = await startPeersRig(version)
  await using other = await startOther(version, {
    mcpServers: { other: { command: process.execPath, args: [OTHER_SERVER] } },
    hooks: Object.fromEntries(EVENTS.map((event) => [event, [{ hooks: [IDLE_HOOK] }]])),
  })
  await using bare = await startOther(version, { mcpServers: {}, hooks: {} })
  const exits: Record<'ours' | 'other' | 'none', Samples> = { ours: [], other: [], none: [] }
  const runHere = (name: keyof typeof exits, { client, model }: { client: ClientOptions; model: Model }) =>
    timed(async () => {
      const from = model.requests.length
      const asked = model.waitForRequest(() => true, { from }).then(() => performance.now())
      await runHeadless({ ...client, prompt: 'hello' })
      exits[name].push(performance.now() - (await asked))
    })
  const runs = await interleave(
    {
      ours: () => runHere('ours', { client: rig.client('api'), model: rig.model }),
      other: () => runHere('other', other),
      none: () => runHere('none', bare),
    },
    HEADLESS_ROUNDS,
  )
  const exit = `headless exit after the answer, ${version}`
  const whole = `headless run, ${version}`
  const [otherwise, none] = [
    'against another MCP server and idle hooks',
    'against no MCP server and no hooks',
  ]
  const target = { most: 1.1 }
  return [
    toRow({ measure: `${exit}, ${otherwise}`, subject: exits.ours, baseline: exits.other, target }),
    toRow({ measure: `${exit}, ${none}`, subject: exits.ours, baseline: exits.none }),
    toRow({ measure: `${whole}, ${otherwise}`, subject: runs.ours, baseline: runs.other, target }),
    toRow({ measure: `${whole}, ${none}`, subject: runs.ours, baseline: runs.none }),
  ]
}

const EVENTS = ['PostToolUse', 'UserPromptSubmit', 'SessionStart', 'Stop']
const IDLE_HOOK = { type: 'command', command: ':' } as const
const OTHER_SERVER = join(PACKAGE_ROOT, 'test/e2e/claude/fixture/echo-server.ts')

/** A client that has nothing of ours, and a model of its own. */
async function startOther(version: string, given: { mcpServers: Record<string, McpServer>; hooks: Hooks }) {
  await using stack = new AsyncDisposableStack()
  const model = stack.use(await startModel())
  const { mcpServers, hooks } = given
  const home = stack.use(await createClientHome({ projects: ['api'], git: true, mcpServers }))
  await writeFile(home.settingsPath, JSON.stringify({ skipDangerousModePermissionPrompt: true, hooks }))
  const binary = await installClaude(version)
  const client: ClientOptions = { binary, home, modelUrl: model.url, cwd: home.projects.api }
  const started = stack.move()
  return { model, client, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
