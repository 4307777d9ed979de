/**
 * The delivery hook: one short process that takes the session's mail from the hub, prints it for the client to inject,
 * and only then acknowledges it. It never fails or slows its host: whatever goes wrong, it ends with 0 within 1.5 s,
 * and what was not acknowledged waits on.
 */
import { deliver } from './deliver.ts'
import { readInput } from './input.ts'

const DEADLINE_MS = 1_500

setTimeout(() => process.exit(0), DEADLINE_MS)
process.on('uncaughtException', () => process.exit(0))
process.stdout.on('error', () => process.exit(0))
void readInput(process.stdin)
  .then((input) => input && deliver(input, Number(process.argv[2])))
  .catch(() => undefined)
  .then(() => process.exit(0))
