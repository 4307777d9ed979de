import { randomInt } from 'node:crypto'
import { check, defaultReportMessage, asyncProperty, type Arbitrary } from 'fast-check'
import { expect, test } from 'vitest'
import { toSeed } from '../harness/seed.ts'

/** How long each property is tried, in seconds: a moment with all the other tests, a minute with `npm run test:fuzz`. */
const SECONDS = Number(process.env['CLAUDE_PEERS_FUZZ_SECONDS'] || 2)
const SEED = toSeed('CLAUDE_PEERS_FUZZ_SEED') ?? randomInt(1, 2 ** 31)
/** What a property needs after its time: the run under way, and on failure a look for a smaller case. */
const GRACE_MS = 60_000

/**
 * A test that lets a property meet whatever an arbitrary makes, for a bounded time. `holds` throws where it does not.
 * Prints how often it was tried and the seed that repeats it; a failure tells the smallest case that was found.
 */
export function fuzz<T>(name: string, arbitrary: Arbitrary<T>, holds: (given: T) => void | Promise<void>) {
  test.for([name])('%s', { timeout: SECONDS * 1_000 + GRACE_MS }, async () => {
    const outcome = await check(
      asyncProperty(arbitrary, async (given) => holds(given)),
      {
        seed: SEED,
        numRuns: 10_000_000,
        interruptAfterTimeLimit: SECONDS * 1_000,
        markInterruptAsFailure: false,
        includeErrorInReport: true,
      },
    )
    process.stdout.write(`fuzz: ${name}: ${outcome.numRuns} tries, CLAUDE_PEERS_FUZZ_SEED=${SEED}\n`)
    expect(outcome.failed ? defaultReportMessage(outcome) : 'holds').toBe('holds')
    expect(outcome.numRuns).toBeGreaterThan(0)
  })
}
