import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTRPCClient, httpLink, type TRPCClient } from '@trpc/client'
import { pino } from 'pino'
import { WebSocket } from 'ws'
import { startHub, type RunningHub } from '../../apps/hub/start.ts'
import { readConfig, type Config } from '../../lib/machine/config.ts'
import { readToken } from '../../lib/machine/token.ts'
import type { AppRouter } from '../../lib/router/router.ts'
import type { Home } from './home.ts'
import { findPort } from './port.ts'
import { waitFor } from './wait.ts'

export type Headers = Record<string, string>
type Line = { level: number; msg: string; [name: string]: unknown }

/** A hub inside this process, on a scratch home; disposing it stops it and removes the home. */
export type TestHub = AsyncDisposable & {
  config: Config
  url: string
  token: string
  /** What a client of this machine sends with everything. */
  headers: Headers
  /** What the hub logged. */
  lines: Line[]
  /** Why clients asked it to stop. */
  asked: string[]
  stop(): Promise<void>
  /** Serves again: same home, same port, same database. */
  start(): Promise<void>
}

/** Starts a hub inside this process, on a port of its own. */
export async function openHub({
  env = {},
  now,
}: { env?: Record<string, string>; now?: () => number } = {}): Promise<TestHub> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-hub-')))
  const settings = {
    HOME: home,
    CLAUDE_PEERS_PORT: String(await findPort()),
    CLAUDE_PEERS_HOST: 'laptop',
    CLAUDE_PEERS_NOTIFY_COMMAND: 'off',
    ...env,
  }
  const lines: Line[] = []
  const asked: string[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line) as Line) })
  const config = readConfig(settings)
  let running: RunningHub | undefined
  const start = async () => {
    running = await startHub({ config, log, now, onStop: (reason) => asked.push(reason) })
  }
  const stop = async () => running?.close()
  await start()
  const token = readToken(config.paths.token)!
  return {
    config,
    url: running!.url,
    token,
    headers: { authorization: `Bearer ${token}` },
    lines,
    asked,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

export type HubProcess = AsyncDisposable & {
  pid: number
  url: string
  token: string
  headers: Headers
  stderr: () => string
  /** Settles with the exit code, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): void
}

/** Runs the bundle of the hub in the foreground of a home, and waits until it serves. */
export async function runHub(
  home: Home,
  { env = {}, args = [], script }: { env?: Record<string, string>; args?: string[]; script?: string } = {},
): Promise<HubProcess> {
  const hub = spawnHub(home, { env, args, script })
  const serves = waitFor(
    () =>
      home.rendezvous().then(
        (one) => (one.pid === hub.pid ? one : undefined),
        () => undefined,
      ),
    'the hub to serve',
  )
  const ended = hub.exited.then((code): never => {
    throw new Error(`the hub ended with ${code}`)
  })
  const left = await Promise.race([serves, ended]).catch((cause: Error) => {
    throw new Error(`${cause.message}: ${hub.stderr()}`)
  })
  const token = await home.token()
  return {
    ...hub,
    url: left.url,
    token,
    headers: { authorization: `Bearer ${token}` },
    async [Symbol.asyncDispose]() {
      hub.kill('SIGTERM')
      const impatience = setTimeout(() => hub.kill('SIGKILL'), 10_000)
      await hub.exited
      clearTimeout(impatience)
    },
  }
}

/** Runs the bundle of the hub, whatever becomes of it. */
export function spawnHub(
  home: Home,
  {
    env = {},
    args = [],
    script = join(import.meta.dirname, '../../dist/hub.js'),
  }: { env?: Record<string, string>; args?: string[]; script?: string | undefined } = {},
) {
  const [program, ...words] = [...home.enter, process.execPath, script, ...args]
  const child = spawn(program!, words, {
    env: { ...home.env, ...env },
    cwd: home.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  return {
    pid: child.pid!,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
  }
}

/** A client as any other program would make it: nothing of ours but the type. */
export function stockClient({ url, headers }: { url: string; headers: Headers }): TRPCClient<AppRouter> {
  return createTRPCClient<AppRouter>({ links: [httpLink({ url: `${url}/trpc`, headers })] })
}

/** The one thing a stock `wsLink` lacks: headers on the upgrade. */
export function socketWith(headers: Headers): typeof globalThis.WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL) {
      super(url, { headers })
    }
  } as unknown as typeof globalThis.WebSocket
}

export type Seat = { id: string; name: string; key: string; headers: Headers; client: TRPCClient<AppRouter> }

/** Takes a seat at a hub, for a session in the directory `/src/<name>`. */
export async function takeSeat(
  hub: { url: string; headers: Headers },
  name: string,
  extra: object = {},
): Promise<Seat> {
  const { peer, key } = await stockClient(hub).peers.register.mutate({
    machine: { id: 'machine-of-tests', host: 'laptop' },
    directory: `/src/${name}`,
    root: `/src/${name}`,
    isRepo: true,
    summary: `working on ${name}`,
    ...extra,
  })
  const headers = { ...hub.headers, 'x-claude-peers-key': key }
  return { id: peer.id, name: peer.name, key, headers, client: stockClient({ url: hub.url, headers }) }
}
