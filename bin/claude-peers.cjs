#!/usr/bin/env node
// Readable by any Node. One that is too old starts the Node of the checkout, as after `npm link` on a machine whose own
// is old, or says what is missing in one clear line.
const { findOwnNode, isUsable } = require('./own-node.cjs')

const own = isUsable() ? undefined : findOwnNode()
if (own) require('./relay.cjs').relay(own, __filename)
else if (isUsable()) run()
else {
  process.stderr.write(
    `claude-peers needs Node 22.14 or newer; this is ${process.versions.node}. In a checkout, "npm ci" installs one that is used then.\n`,
  )
  process.exitCode = 1
}

function run() {
  try {
    require('../dist/cli.cjs')
  } catch (cause) {
    const isUnbuilt = cause.code === 'MODULE_NOT_FOUND'
    process.stderr.write(
      `claude-peers: ${isUnbuilt ? 'this checkout is not built: "npm run build" does it' : cause.stack}\n`,
    )
    process.exitCode = 1
  }
}
