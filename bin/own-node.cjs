// Readable by any Node, like what uses it.
const { existsSync } = require('node:fs')
const { join } = require('node:path')

/** What the programs need: better-sqlite3 needs the Node-API 10 of 22.14, and without it ends the process. */
const OLDEST = [22, 14]

/** Whether this Node runs the programs. */
exports.isUsable = () => {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

/** The Node that `npm ci` installs into a checkout; `undefined` where there is none, or this is it. */
exports.findOwnNode = () => {
  const own = join(__dirname, '../node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node')
  return existsSync(own) && own !== process.execPath ? own : undefined
}
