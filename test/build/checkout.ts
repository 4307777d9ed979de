import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const SOURCES = ['apps', 'lib', 'build', 'bin', 'drizzle', 'build.ts', 'package.json', 'package-lock.json']
const CONFIGS = ['tsconfig.json', 'tsconfig.types.json']

export type Run = { code: number | null; signal: NodeJS.Signals | null; output: string }

/** A copy of this checkout, and a home beside it. */
export type Checkout = AsyncDisposable & {
  path: string
  home: string
  /** Runs a program in it, with an environment from scratch; `cache` names a cache of npm. */
  start(words: string[], options?: { cache?: string; cwd?: string }): { pid: number; ended: Promise<Run> }
}

/** Copies the sources, and what is built where `built` is set. The libraries are those of this checkout. */
export async function copyCheckout({ built }: { built: boolean }): Promise<Checkout> {
  const place = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-checkout-')))
  const [path, home] = [join(place, 'checkout'), join(place, 'home')]
  await mkdir(path)
  await mkdir(home)
  for (const name of [...SOURCES, ...CONFIGS, ...(built ? ['dist', '.build'] : [])]) {
    await cp(join(root, name), join(path, name), { recursive: true })
  }
  await symlink(await realpath(join(root, 'node_modules')), join(path, 'node_modules'))
  return {
    path,
    home,
    start([program, ...args], { cache = 'cache', cwd = path } = {}) {
      const child = spawn(program!, args, {
        cwd,
        env: {
          HOME: home,
          PATH: process.env['PATH'],
          npm_config_cache: join(place, cache),
          npm_config_offline: 'true',
          npm_config_update_notifier: 'false',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => (output += text))
      }
      const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, output }))
      return { pid: child.pid!, ended }
    },
    [Symbol.asyncDispose]: () => rm(place, { recursive: true, force: true, maxRetries: 5 }),
  }
}
