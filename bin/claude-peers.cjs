#!/usr/bin/env node
// Readable by any Node, so that one that is too old gets one clear line instead of a crash: better-sqlite3 needs the
// Node-API 10 of 22.14, and without it ends the process.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 14)) {
  process.stderr.write(
    `claude-peers needs Node 22.14 or newer; this is ${process.versions.node}. In its checkout, "npx claude-peers" uses the Node that "npm ci" installed.\n`,
  )
  process.exit(1)
}
try {
  require('../dist/cli.cjs')
} catch (cause) {
  const isUnbuilt = cause.code === 'MODULE_NOT_FOUND'
  process.stderr.write(
    `claude-peers: ${isUnbuilt ? 'this checkout is not built: "npm run build" does it' : cause.stack}\n`,
  )
  process.exitCode = 1
}
