import { defineConfig } from 'vitest/config'
import { testReporters } from './test/harness/reporters.ts'

/** Several computers in network namespaces, and a real Chromium: `npm run test:fleet`. They need root and iproute2. */
export default defineConfig({
  test: {
    ...testReporters(),
    include: ['test/fleet/**/*.test.ts'],
    globalSetup: ['test/fleet/setup.ts'],
    // A link is cut for a minute, and what was written meanwhile has another to arrive on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    maxConcurrency: 8,
    retry: 0,
  },
})
