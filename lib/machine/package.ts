import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }

/** The version of this installation. */
export const VERSION: string = manifest.version

/** The versions of Node that it runs on. */
export const NODE_RANGE: string = manifest.engines.node

/** The directory of this installation, whether its sources run or its bundles in `dist`. */
export const PACKAGE_ROOT = findRoot(import.meta.dirname)

/** A built program of this installation. */
export const bundlePath = (
  name: 'hub.js' | 'mcp.js' | 'notify.js' | 'hook.cjs' | 'waiter.sh' | 'waiter.cjs',
) => join(PACKAGE_ROOT, 'dist', name)

function findRoot(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : findRoot(dirname(directory))
}
