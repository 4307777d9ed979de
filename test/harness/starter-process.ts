/** A program that needs the hub: finds or starts it as the sessions do, prints where it is, and ends. */
import { readConfig } from '../../lib/machine/config.ts'
import { ensureHub } from '../../lib/machine/hub-process.ts'

const started = Date.now()
const start = () =>
  ensureHub(readConfig(), process.argv[2]).then(
    ({ url, version }) => ({ url, version }),
    (cause: Error) => ({ error: cause.message, name: cause.name }),
  )
const answers = await Promise.all(Array.from({ length: Number(process.env['TIMES'] ?? 1) }, start))
const answer = answers.find((one) => 'error' in one) ?? answers[0]
process.stdout.write(JSON.stringify({ ...answer, ms: Date.now() - started }))
