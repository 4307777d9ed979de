/**
 * The walls of the house, as a test: which room may know which other, and what a bundle may carry. A room is a
 * directory of `apps` or `lib`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const toRoom = (path: string) => path.split('/').slice(0, 2).join('/')
const isOurs = (target: string) => /^(apps|lib)\//.test(target)

type Import = { file: string; from: string; to: string; typeOnly: boolean; line: string }

const files = ['apps', 'lib'].flatMap((part) =>
  readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(part, name).replaceAll('\\', '/')),
)
const imports: Import[] = files.flatMap(readImports)

/** The imports and re-exports of a file: static, of a type, and dynamic ones of a literal. */
function readImports(file: string): Import[] {
  const statements = /^(?:import|export)\b(?:[^'"`;]*?\bfrom\s*)?\s*'([^']+)'|\bimport\('([^']+)'\)/gm
  return [...read(file).matchAll(statements)].map((match) => ({
    file,
    from: toRoom(file),
    to: toTarget(file, (match[1] ?? match[2])!),
    typeOnly: /^(import|export) type\b/.test(match[0]),
    line: match[0].replaceAll(/\s+/g, ' '),
  }))
}

/** A file of ours as its path without extension, any other module by its name. */
function toTarget(file: string, specifier: string): string {
  if (specifier.startsWith('#')) return `lib/${specifier.slice(1)}`
  if (!specifier.startsWith('.')) return specifier
  return relative(root, resolve(root, file, '..', specifier))
    .replaceAll('\\', '/')
    .replace(/\.ts$/, '')
}

/** The imports that break a rule, each with the reason. */
function broken(reason: string, breaks: (one: Import) => boolean): string[] {
  return imports.filter(breaks).map(({ file, line }) => `${file}: ${line} — ${reason}`)
}

test('the walls are looked at where they stand', () => {
  expect(files.length).toBeGreaterThan(80)
  expect(imports).toContainEqual(
    expect.objectContaining({ file: 'lib/router/context.ts', to: 'lib/db/open', typeOnly: true }),
  )
  expect(imports).toContainEqual(
    expect.objectContaining({ file: 'apps/hub/main.ts', to: 'lib/machine/config', typeOnly: false }),
  )
})

describe('the rooms', () => {
  test('apps do not know each other', () => {
    const reason = 'an app is a process of its own: what two of them need belongs into lib'
    expect(
      broken(
        reason,
        ({ from, to }) => from.startsWith('apps/') && to.startsWith('apps/') && toRoom(to) !== from,
      ),
    ).toEqual([])
  })

  test('lib does not know the apps', () => {
    expect(
      broken(
        'a library does not know who uses it',
        ({ from, to }) => from.startsWith('lib/') && to.startsWith('apps/'),
      ),
    ).toEqual([])
  })

  test('the database knows no other room', () => {
    expect(
      broken(
        'the memory knows no wire',
        ({ from, to }) => from === 'lib/db' && isOurs(to) && toRoom(to) !== 'lib/db',
      ),
    ).toEqual([])
  })

  test('only the router and the hub know the database', () => {
    expect(
      broken(
        'everybody else asks the router',
        ({ from, to }) => toRoom(to) === 'lib/db' && !['lib/db', 'lib/router', 'apps/hub'].includes(from),
      ),
    ).toEqual([])
  })

  test('the router knows the database and how to make words inert, and nothing else', () => {
    expect(
      broken(
        'the contract knows no sockets, files or processes',
        ({ from, to }) =>
          from === 'lib/router' &&
          isOurs(to) &&
          !['lib/frame/escape', 'lib/frame/home-path', 'lib/machine/suggest'].includes(to) &&
          !['lib/router', 'lib/db'].includes(toRoom(to)),
      ),
    ).toEqual([])
  })

  test('clients take the router by type only', () => {
    const clients = new Set([
      'apps/mcp',
      'apps/hook',
      'apps/cli',
      'lib/client',
      'lib/machine',
      'lib/frame',
      'lib/probe',
    ])
    const isOpen = (to: string) => to === 'lib/router/wire' || to.startsWith('lib/router/shapes/')
    expect(
      broken(
        'the router would bring the database into a client',
        ({ from, to, typeOnly }) =>
          clients.has(from) && toRoom(to) === 'lib/router' && !typeOnly && !isOpen(to),
      ),
    ).toEqual([])
  })

  test('the router’s shapes and wire know nothing but each other and zod', () => {
    expect(
      broken(
        'clients load them',
        ({ file, to }) =>
          /^lib\/router\/(shapes\/|wire)/.test(file) && to !== 'zod' && !to.startsWith('lib/router/shapes/'),
      ),
    ).toEqual([])
  })

  test('nobody goes around a room’s name', () => {
    const reason = 'another room is imported by its name, such as #db/open'
    const crossings = files.flatMap((file) =>
      [...read(file).matchAll(/from '(\.[^']+)'/g)]
        .filter(([, specifier]) => toRoom(toTarget(file, specifier!)) !== toRoom(file))
        .filter(([, specifier]) => !specifier!.endsWith('package.json'))
        .map(([line]) => `${file}: ${line} — ${reason}`),
    )
    expect(crossings).toEqual([])
  })
})

describe('what a room does', () => {
  /** Files in which a pattern occurs outside of comments. */
  const filesWith = (pattern: RegExp) =>
    files.filter((file) => pattern.test(read(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')))

  test('only the hub listens', () => {
    const listens = /\bcreateServer\(|\.listen\(|new WebSocketServer\(|Bun\.serve/
    // The bell of the database is no socket.
    const others = filesWith(listens).filter(
      (file) => toRoom(file) !== 'apps/hub' && toRoom(file) !== 'lib/db',
    )
    expect(others.filter((file) => !/\bbell\.listen\(/.test(read(file)))).toEqual([])
    expect(filesWith(/\bcreateServer\(|new WebSocketServer\(/).map(toRoom)).toEqual(['apps/hub', 'apps/hub'])
  })

  test('the router knows no process, no file and no clock but that of the database', () => {
    const own = filesWith(/\bprocess\.|\bDate\.now\(|new Date\(\)|'node:(fs|net|http|os|child_process)'/)
    expect(own.filter((file) => file.startsWith('lib/router/'))).toEqual([])
  })

  test('nothing in lib works when it is imported', () => {
    // A statement at the left margin that is neither a declaration nor the end of one.
    const works = /^(?:await |void |new |if |for |while |try |throw |process\.|[a-z]\w*(?:\.\w+)*\()/m
    expect(
      files.filter((file) => file.startsWith('lib/') && works.test(withoutComments(read(file)))),
    ).toEqual([])
  })

  test('a process starts in the main.ts of its app, but for the waiter beside the hook', () => {
    const works = /^(?:await |void |process\.(?:on|umask|title|exitCode)|setTimeout\()/m
    const starting = files.filter((file) => works.test(withoutComments(read(file))))
    expect(starting.toSorted()).toEqual([
      'apps/cli/main.ts',
      'apps/hook/main.ts',
      'apps/hook/waiter.ts',
      'apps/hub/main.ts',
      'apps/mcp/main.ts',
      'apps/notify/main.ts',
    ])
  })
})

const withoutComments = (source: string) =>
  source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')

describe('the bundles', () => {
  const bundles = readdirSync(join(root, 'dist')).filter((name) => /\.c?js$/.test(name))
  const clients = bundles.filter((name) => name !== 'hub.js')

  test('are all there', () => {
    const programs = ['hub.js', 'mcp.js', 'cli.cjs', 'notify.js', 'hook.cjs', 'waiter.cjs', 'client.js']
    expect(bundles).toEqual(expect.arrayContaining(programs))
  })

  test('of clients carry no database and no tRPC server', () => {
    const words = [
      'better-sqlite3',
      'drizzle',
      'getWSConnectionHandler',
      'resolveResponse',
      'initTRPC',
      'callTRPCProcedure',
    ]
    const carried = clients.flatMap((name) =>
      words
        .filter((word) => read(`dist/${name}`).includes(word))
        .map((word) => `dist/${name} carries ${word}`),
    )
    expect(carried).toEqual([])
  })

  test('leave the desktop notifier to a process of its own, which carries none of it', () => {
    const loading = bundles.filter((name) => read(`dist/${name}`).includes('toasted-notifier'))
    expect(loading).toEqual(['notify.js'])
    expect(statSync(join(root, 'dist/notify.js')).size).toBeLessThan(4 * 1_024)
  })

  test('speak the language of the oldest Node that may run them', () => {
    // Node 22 has neither `using` nor what came with it, and `Promise.try` and the like came later, too.
    const later = [
      /^\s*(?:await )?using \w+ =/m,
      /\bnew (?:Async)?DisposableStack\b/,
      /\bPromise\.try\(/,
      /\bRegExp\.escape\(/,
      /\bError\.isError\(/,
      /\bUint8Array\.from(?:Base64|Hex)\(/,
    ]
    const found = bundles.flatMap((name) =>
      later.flatMap(
        (pattern) => pattern.exec(read(`dist/${name}`))?.map((text) => `dist/${name}: ${text.trim()}`) ?? [],
      ),
    )
    expect(found).toEqual([])
  })

  test('and the manifest, the command and the build mean the same oldest Node', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
    const oldest = engines.node.replace('>=', '')
    expect(read('bin/claude-peers.cjs')).toContain(`needs Node ${oldest} or newer`)
    expect(read('bin/own-node.cjs')).toContain(`[${oldest.replace('.', ', ')}]`)
    expect(read('build/bundles.ts')).toContain(`'node${oldest}'`)
  })

  test('the hook is small, and starts without undici and zod', () => {
    const launcher = read('dist/hook.cjs')
    // The build keeps the programs of earlier ones for a day: they are nothing that this hook loads.
    const programs = [...new Set(launcher.match(/hook-[\w-]+\.cjs/g))]
    const text = [launcher, ...programs.map((name) => read(`dist/${name}`))].join('\n')
    expect(programs).toHaveLength(1)
    expect(text.length).toBeLessThan(40 * 1_024)
    expect(text).not.toMatch(/\bfetch\(|FormData|node:https'\)|\bzod\b|ZodError/)
  })

  test('the hub is the only one that carries the migrations’ reader', () => {
    expect(read('dist/hub.js')).toContain('better-sqlite3')
  })
})
