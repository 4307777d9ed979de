/** What stands in deploy/: that it parses, that it names what there is, and that its commands run. */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { HUB_EXIT } from '../lib/machine/exit-codes.ts'
import { VARIABLES } from '../lib/machine/config.ts'
import { BIN, startProgram } from './cli/program.ts'
import { blockPort } from './harness/blocker.ts'
import { createHome } from './harness/home.ts'
import { openHub, runHub } from './harness/hub.ts'
import { exchange } from './harness/raw.ts'
import { openServer } from './harness/server.ts'
import { waitFor } from './harness/wait.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../deploy')
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
const UNITS = files.filter((name) => name.endsWith('.service'))
const has = (command: string, args: string[]) => spawnSync(command, args).status === 0

/** A command line of ours: in code, in quotes, in a unit, or run in the container. */
const COMMAND =
  /(?:`|^|"|exec hub |ExecStart=\/usr\/local\/bin\/|lib\/claude-peers )claude-peers ([^`"#\n]+)/gm

/** The values of a key of a unit, in order. */
const valuesOf = (unit: string, key: string) =>
  [...read(unit).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!)

/** What a unit runs, without the path of the program. */
function commandOf(unit: string): string[] {
  const [program, ...args] = valuesOf(unit, 'ExecStart')[0]!.split(' ')
  expect(program).toBe('/usr/local/bin/claude-peers')
  return args
}

/** The environment that a unit gives, but for the home. */
const environmentOf = (unit: string) =>
  Object.fromEntries(
    valuesOf(unit, 'Environment')
      .map((line) => line.split('=') as [string, string])
      .filter(([name]) => name !== 'HOME'),
  )

describe('every file', () => {
  test('is one that the README tells of', () => {
    const told = read('README.md')
    const others = files.filter((name) => name !== 'README.md' && !name.endsWith('.dockerignore'))
    expect(others.length).toBeGreaterThanOrEqual(10)
    for (const name of others) expect(told).toContain(name.endsWith('.timer') ? '.timer' : name)
  })

  test('names only commands and options that there are', async () => {
    const listed = (await helpOf([])).matchAll(/^ {2}([a-z-]+)(?:\|([a-z-]+))?/gm)
    const verbs = [...listed].flatMap(([, ...names]) => names)
    const commands = files.flatMap((name) =>
      [...read(name).matchAll(COMMAND)].map(([, rest]) => rest!.trim().split(/\s+/)),
    )
    expect(commands.length).toBeGreaterThan(15)
    for (const [verb, next, ...rest] of commands) {
      expect(verbs).toContain(verb)
      const isSub = verb === 'hub' && /^[a-z]+$/.test(next ?? '')
      const help = await helpOf(isSub ? [verb, next!] : [verb!])
      expect(help).toContain(isSub ? `claude-peers hub ${next}` : 'Usage: claude-peers')
      for (const option of [next, ...rest].filter((word) => word?.startsWith('--')))
        expect(help).toContain(option!.split('=')[0])
    }
  })

  test('names only settings that there are', () => {
    const names = files.flatMap((name) =>
      [...read(name).matchAll(/CLAUDE_PEERS_[A-Z_]+/g)].map(([found]) => found),
    )
    expect(names.length).toBeGreaterThan(3)
    expect(names.filter((name) => !VARIABLES.includes(name))).toEqual([])
  })
})

/** The words of a command's help. */
async function helpOf(words: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [BIN, ...words, '--help'])
  return stdout
}

describe('systemd', () => {
  test.each(UNITS.filter((name) => !name.includes('backup')))(
    '%s: the hub runs as written there, and ends with 0 on SIGTERM',
    async (unit) => {
      await using home = await createHome()
      await using hub = startProgram(home, commandOf(unit), { env: environmentOf(unit) })
      await waitFor(() => hub.stderr().includes('hub serves'), 'the hub to serve')
      expect((await home.rendezvous()).pid).toBe(hub.pid)
      expect(await hub.end(valuesOf(unit, 'KillSignal')[0] as NodeJS.Signals)).toBe(0)
    },
  )

  test.each(UNITS.filter((name) => !name.includes('backup')))(
    '%s: is not started again for what starting again does not mend, and for anything else it is',
    (unit) => {
      const { newerDatabase, badConfig } = HUB_EXIT
      expect(valuesOf(unit, 'RestartPreventExitStatus')).toEqual([`2 ${newerDatabase} ${badConfig}`])
      expect(valuesOf(unit, 'Restart')).toEqual(['always'])
    },
  )

  test('the backup runs as written while the hub does', async () => {
    await using home = await createHome()
    await using _hub = await runHub(home)
    const { code, stdout } = await home.cli(commandOf('systemd/claude-peers-backup.service'))
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining('/.claude-peers/backups/claude-peers.db.backup-'),
    ])
  })

  test.runIf(has('systemd-analyze', ['--version']))('finds nothing wrong with the units', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'claude-peers-units-'))
    try {
      cpSync(join(root, 'systemd'), scratch, { recursive: true })
      const names = readdirSync(scratch)
      for (const name of names.filter((one) => one.endsWith('.service'))) {
        const path = join(scratch, name)
        writeFileSync(
          path,
          readFileSync(path, 'utf8').replaceAll('/usr/local/bin/claude-peers', process.execPath),
        )
      }
      const { stderr, status } = spawnSync(
        'systemd-analyze',
        ['verify', ...names.map((name) => join(scratch, name))],
        { encoding: 'utf8' },
      )
      expect([status, stderr]).toEqual([0, ''])
    } finally {
      rmSync(scratch, { recursive: true })
    }
  })
})

describe('launchd', () => {
  test.runIf(has('python3', ['-c', 'import plistlib']))('the agent parses, and keeps the hub running', () => {
    const text = execFileSync(
      'python3',
      ['-c', 'import plistlib, json, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))'],
      { input: read('launchd/io.github.claude-peers.hub.plist'), encoding: 'utf8' },
    )
    const plist = JSON.parse(text) as Record<string, unknown>
    expect(plist).toMatchObject({
      Label: 'io.github.claude-peers.hub',
      RunAtLoad: true,
      KeepAlive: true,
      Umask: 0o077,
    })
    const [node, program, ...args] = plist['ProgramArguments'] as string[]
    expect([basename(node!), basename(program!), args]).toEqual(['node', 'claude-peers', ['hub']])
  })
})

describe('docker', () => {
  test.runIf(has('python3', ['-c', 'import yaml']))('all YAML parses, and says what it is meant to', () => {
    const load = (name: string) =>
      JSON.parse(
        execFileSync(
          'python3',
          ['-c', 'import yaml, json, sys; print(json.dumps(yaml.safe_load(sys.stdin)))'],
          {
            input: read(name),
            encoding: 'utf8',
          },
        ),
      ) as Record<string, never>
    expect(load('docker/compose.yaml')).toMatchObject({
      services: {
        hub: {
          network_mode: 'service:tailscale',
          user: 'node',
          read_only: true,
          volumes: ['hub:/var/lib/claude-peers'],
        },
        tailscale: { healthcheck: { test: expect.any(Array) } },
      },
    })
    expect(load('prometheus/scrape.yml')).toMatchObject({ scrape_configs: [{ metrics_path: '/metrics' }] })
    expect(load('prometheus/alerts.yml')).toMatchObject({ groups: [{ rules: [{}, {}] }] })
    expect(load('litestream/litestream.yml')).toMatchObject({
      dbs: [{ path: '/var/lib/claude-peers/.claude-peers.db' }],
    })
  })

  test('the image is not that of root, and its health check tells a hub that serves from all else', async () => {
    const dockerfile = read('docker/Dockerfile')
    expect(dockerfile).toMatch(/^USER node$/m)
    const [, command] = /^ {2}CMD (\[.*\])$/m.exec(dockerfile)!
    const [program, ...args] = JSON.parse(command!) as string[]
    expect(program).toBe('node')
    const check = async (port: string) => {
      const given = args.map((arg) => arg.replace(':7899/', `:${port}/`))
      return run(process.execPath, given).then(
        () => 0,
        (cause: { code: number }) => cause.code,
      )
    }
    await using hub = await openHub()
    await using starting = await openServer()
    const blocked = await blockPort()
    await blocked[Symbol.asyncDispose]()
    const codes = [new URL(hub.url).port, new URL(starting.url).port, String(blocked.port)].map(check)
    expect(await Promise.all(codes)).toEqual([0, 1, 1])
  })

  test('what it copies is what there is', () => {
    const top = dirname(root)
    const [, tarball] = /pack .*\/tmp\b[\s\S]*COPY --from=build \/tmp\/(claude-peers-\*\.tgz)/.exec(
      read('docker/Dockerfile'),
    )!
    const { name } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { name: string }
    expect(tarball).toBe(`${name}-*.tgz`)
    expect(read('docker/compose.yaml')).toContain('dockerfile: deploy/docker/Dockerfile')
  })
})

describe('prometheus', () => {
  test('a hub answers what the scrape asks for, with every metric that an alert names', async () => {
    await using hub = await openHub()
    const [, path] = /metrics_path: (\S+)/.exec(read('prometheus/scrape.yml'))!
    const { status, body } = await exchange(`${hub.url}${path}`, { headers: hub.headers })
    expect(status).toBe(200)
    const named = [...read('prometheus/alerts.yml').matchAll(/claude_peers_\w+/g)].map(([name]) => name)
    expect(named.length).toBeGreaterThan(0)
    for (const name of named) expect(body).toMatch(new RegExp(`^${name}[ {]`, 'm'))
  })
})
