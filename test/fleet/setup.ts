/** Before the first fleet test: a network can be made, and what a killed run left of one is gone. A seed is printed. */
import { randomInt } from 'node:crypto'
import type { TestProject } from 'vitest/node'
import { toSeed } from '../harness/seed.ts'
import { requireNamespaces, sweepNamespaces } from './namespaces.ts'

declare module 'vitest' {
  interface ProvidedContext {
    fleet: { seed: number }
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await requireNamespaces()
  const left = await sweepNamespaces()
  if (left.length > 0)
    process.stdout.write(`fleet tests: removed what a killed run left: ${left.join(', ')}\n`)
  const seed = toSeed('CLAUDE_PEERS_FLEET_SEED') ?? randomInt(1, 1_000_000)
  process.stdout.write(`fleet tests, seed ${seed} (repeat with CLAUDE_PEERS_FLEET_SEED=${seed})\n`)
  project.provide('fleet', { seed })
  // The workers' networks go with their tests; those of a worker that was killed go here.
  return async () => void (await sweepNamespaces())
}
