/**
 * What a user's machine runs: one bundle a process, so that each starts with one file read.
 * better-sqlite3 and toasted-notifier stay outside (they carry native binaries); what lives for some 30 ms is CommonJS, which
 * spares it the module loader.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { build, type BuildOptions, type OutputOptions } from 'rolldown'
import { compileHook } from './hook.ts'
import { lean } from './lean.ts'

/** The oldest Node that runs them has no `using`. write-file-atomic is CommonJS and needs a `__filename`. */
const transform = { target: 'node22.14', define: { __filename: 'import.meta.filename' } }
/** The main file of jsonc-parser loads its parts by names that a bundler cannot follow. */
const alias = { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' }
const resolvePath = createRequire(import.meta.url).resolve
/**
 * tRPC publishes what it compiles for engines without a spread of objects: copying a call with the functions that stand
 * for it was a tenth of the hub's work. Its sources, which come with it, are compiled for ours instead.
 */
const trpc = resolvePath('@trpc/server/package.json').replace('package.json', 'src')
const trpcSources = {
  '@trpc/server/vendor': `${trpc}/vendor`,
  '@trpc/server/unstable-core-do-not-import': `${trpc}/unstable-core-do-not-import.ts`,
  '@trpc/server/observable': `${trpc}/observable/index.ts`,
  '@trpc/server/http': `${trpc}/http.ts`,
  '@trpc/server/rpc': `${trpc}/rpc.ts`,
  '@trpc/server': `${trpc}/index.ts`,
}
const esm = { format: 'esm', entryFileNames: '[name].js' } as const
const cjs = { format: 'cjs', entryFileNames: '[name].cjs' } as const
type Bundle = BuildOptions & { output: OutputOptions }
const bundles: Bundle[] = [
  {
    input: { hub: 'apps/hub/main.ts' },
    output: { ...esm, chunkFileNames: 'hub-[name]-[hash].js' },
    external: ['better-sqlite3'],
    plugins: [lean],
    transform,
    resolve: { alias: { ...alias, ...trpcSources } },
  },
  { input: { mcp: 'apps/mcp/main.ts' }, output: esm, plugins: [lean], transform },
  { input: { notify: 'apps/notify/main.ts' }, output: esm, external: ['toasted-notifier'], transform },
  // One small file a command: a command that is not called is not read.
  {
    input: { cli: 'apps/cli/main.ts' },
    output: { ...cjs, chunkFileNames: 'cli-[name]-[hash].cjs' },
    transform: { target: transform.target },
  },
  {
    input: { hook: 'apps/hook/main.ts' },
    output: { ...cjs, minify: true },
    transform: { target: transform.target, define: { BUILT_WITH: JSON.stringify(process.version) } },
  },
  {
    input: { waiter: 'apps/hook/waiter.ts' },
    output: cjs,
    transform: { target: transform.target },
  },
  {
    input: { client: 'lib/client/main.ts' },
    output: esm,
    external: [/^@trpc\//, 'ws', 'zod', 'semver'],
    transform: { target: transform.target },
  },
]

/** Builds everything into an empty directory. */
export async function buildInto(dist: string, root: string): Promise<void> {
  for (const { output, ...options } of bundles) {
    await build({
      cwd: root,
      platform: 'node',
      logLevel: 'warn',
      resolve: { alias },
      ...options,
      output: { ...output, dir: dist },
    })
  }
  compileHook({ root, dist })
  copyFileSync(`${root}/apps/hook/waiter.sh`, `${dist}/waiter.sh`)
  declareTypes(dist, root)
}

function declareTypes(dist: string, root: string) {
  // The `#…` imports of the declarations resolve inside their own package scope, not against our sources.
  const tsc = resolvePath('typescript/package.json').replace('package.json', 'bin/tsc')
  const args = [tsc, '-p', 'tsconfig.types.json', '--outDir', `${dist}/types`]
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  // How a hub remembers is no business of its clients' compilers, nor are the libraries it does that with: a program that
  // checks its libraries would have to check drizzle's drivers for databases that nobody here has installed.
  const types = `${dist}/types/lib`
  writeFileSync(`${types}/router/context.d.ts`, 'export type Context = object\n')
  rmSync(`${types}/db`, { recursive: true })
  for (const room of ['address', 'feed', 'views']) rmSync(`${types}/router/${room}.d.ts`)
  const rooms = ['router', 'client', 'machine']
  const imports = Object.fromEntries(rooms.map((room) => [`#${room}/*`, `./lib/${room}/*.d.ts`]))
  writeFileSync(`${dist}/types/package.json`, JSON.stringify({ type: 'module', imports }))
}
