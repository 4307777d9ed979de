/**
 * Shows one notification on this desktop: a process of its own, because the library behind it runs other programs and
 * may throw where nobody can catch it. The library stays outside the bundle: its programs lie beside it.
 */
import notifier from 'toasted-notifier'

/** Seconds after which it goes away where the desktop lets it. */
const SHOWN_S = 10

await main().catch((cause: unknown) => {
  process.stderr.write(`${(cause as Error).message ?? String(cause)}\n`)
  process.exitCode = 1
})
process.exit()

function main(): Promise<void> {
  const { CLAUDE_PEERS_NOTIFY_TITLE: title, CLAUDE_PEERS_NOTIFY_TEXT: message } = process.env
  return new Promise((resolve, reject) => {
    notifier.notify({ title, message, timeout: SHOWN_S }, (cause) => (cause ? reject(cause) : resolve()))
  })
}
