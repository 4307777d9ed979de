/** What a session pays for the MCP server: until its client may go on, and in memory. */
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'rolldown'
import { readCard } from '../lib/machine/cards.ts'
import { bundlePath, PACKAGE_ROOT } from '../lib/machine/package.ts'
import { startMcp } from '../lib/probe/mcp-process.ts'
import { databaseOf, startBenchHub } from './hub-process.ts'
import { interleave } from './measure.ts'
import { amount } from './options.ts'
import { toRow, type Row } from './table.ts'
import { peakOf } from './usage.ts'

const ROUNDS = amount(25, 2)
/** A server of the SDK with one tool. */
const BARE = join(PACKAGE_ROOT, 'test/e2e/claude/fixture/echo-server.ts')

export async function benchMcp(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-bench-'))
  const bare = await buildBare(directory)
  await using hub = await startBenchHub()
  const env = {
    HOME: hub.home,
    PATH: process.env['PATH']!,
    CLAUDE_PEERS_PORT: '0',
    CLAUDE_PEERS_HOST: 'bench',
    CLAUDE_PEERS_DB: databaseOf(hub.home),
  }
  const start = (script: string) => startAndWeigh(script, { env, sessions: hub.sessions })
  const samples = await interleave(
    {
      own: async () => {
        const weighed = await start(bundlePath('mcp.js'))
        // One that gave the hub up would have been measured without its work.
        if (!weighed.hadSeat) throw new Error('the MCP server took no seat at the hub')
        return weighed
      },
      bare: () => start(bare.plain),
      bareBundle: () => start(bare.bundle),
    },
    ROUNDS,
  )
  await rm(directory, { recursive: true, force: true })
  const [peak, ms] = [(one: Weighed) => one.peak, (one: Weighed) => one.ms]
  const toRows = (baseline: Weighed[], name: string, hasTarget: boolean) => [
    toRow({
      measure: `MCP server, peak RSS, against ${name}`,
      subject: samples.own.map(peak),
      baseline: baseline.map(peak),
      ...(hasTarget && { target: { most: 1.25 } }),
      unit: 'MB',
    }),
    toRow({
      measure: `MCP server, start to \`initialize\` answered, against ${name}`,
      subject: samples.own.map(ms),
      baseline: baseline.map(ms),
      ...(hasTarget && { target: { most: 1.3 } }),
    }),
  ]
  return [
    ...toRows(samples.bare, 'a bare MCP SDK server with one tool', true),
    ...toRows(samples.bareBundle, 'the same as one bundled file', false),
  ]
}

type Weighed = { ms: number; peak: number; hadSeat: boolean }

/** The time to the answer of `initialize`, and the most memory held once the tools were listed, too. */
async function startAndWeigh(
  script: string,
  { env, sessions }: { env: Record<string, string>; sessions: string },
): Promise<Weighed> {
  const start = performance.now()
  const server = await startMcp(process.execPath, [script], { env })
  const ms = performance.now() - start
  const hadSeat = readCard(sessions, process.pid)?.mcp.pid === server.pid
  await server.request('tools/list')
  const peak = peakOf(server.pid)
  await server.close()
  return { ms, peak, hadSeat }
}

/** The bare server as JavaScript that loads its libraries as they are, and as one file, like ours. */
async function buildBare(directory: string): Promise<{ plain: string; bundle: string }> {
  const make = async (name: string, external: RegExp[]) => {
    const folder = join(directory, name)
    await mkdir(folder)
    await build({
      input: BARE,
      output: { dir: folder, format: 'esm', entryFileNames: 'server.mjs' },
      platform: 'node',
      logLevel: 'warn',
      external,
    })
    return join(folder, 'server.mjs')
  }
  await symlink(join(PACKAGE_ROOT, 'node_modules'), join(directory, 'node_modules'))
  return { plain: await make('plain', [/^@modelcontextprotocol/, /^zod/]), bundle: await make('bundle', []) }
}
