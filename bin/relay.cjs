const { spawn } = require('node:child_process')
const { constants } = require('node:os')

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
/** A terminal sends these to both processes: passed on, they would come twice, and the second ends what the first lets end. */
const OF_TERMINAL = new Set(['SIGINT', 'SIGQUIT', 'SIGHUP'])

/**
 * Runs this script with another Node and ends as it ends: an old Node cannot replace itself. Input and output are the
 * caller's own, not passed through; signals are passed on.
 */
exports.relay = (node, script) => {
  const child = spawn(node, [script, ...withParent(process.argv.slice(2))], { stdio: 'inherit' })
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (!process.stdin.isTTY || !OF_TERMINAL.has(signal)) child.kill(signal)
    })
  }
  child.on('error', (cause) => {
    process.stderr.write(`claude-peers: ${node} cannot be started: ${cause.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
    // What does not end a process here, such as a signal that is ignored, must not make this a success.
    process.exitCode = 128 + constants.signals[signal]
  })
}

/** The hook takes its parent for the Claude process unless it is given one, and its parent will be this process. */
const withParent = (args) =>
  args.length === 1 && args[0] === 'hook' ? [...args, String(process.ppid)] : args
