import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { bundlePath } from '#machine/package'

/** Becomes another program of this installation, in this process: signals and standard streams are its own. */
export async function run(program: Parameters<typeof bundlePath>[0], args: string[]): Promise<void> {
  const path = bundlePath(program)
  process.argv.splice(1, process.argv.length, path, ...args)
  // What a broken pipe means is its own to decide.
  process.stdout.removeAllListeners('error')
  if (path.endsWith('.cjs')) createRequire(import.meta.url)(path)
  // A name that the bundler cannot follow: the hub's database must not come into this program.
  else await import(pathToFileURL(path).href)
}
