// What npm runs in a checkout after an install, and for each cache of npm in which `npx` or `npm link` meets it. A package
// that was installed has nothing to prepare: it has no sources.
const { spawnSync } = require('node:child_process')
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { findOwnNode, isUsable } = require('./own-node.cjs')

const build = join(__dirname, '../build.ts')
if (existsSync(build)) {
  // npm puts it on the PATH; whoever calls this by hand may have another one there.
  const node = findOwnNode() || process.execPath
  if (node === process.execPath && !isUsable()) {
    process.stderr.write('claude-peers: this checkout has no Node that can build it: run "npm ci".\n')
    process.exit(1)
  }
  const { status } = spawnSync(node, [build, '--if-changed'], { stdio: 'inherit' })
  process.exitCode = status === null ? 1 : status
}
