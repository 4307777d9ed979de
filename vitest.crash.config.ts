import { defineConfig } from 'vitest/config'
import { testReporters } from './test/harness/reporters.ts'

/** Kills and power cuts: `npm run test:crash`. They need Linux and a C compiler, and take some four minutes. */
export default defineConfig({
  test: {
    ...testReporters(),
    include: ['test/crash/**/*.test.ts'],
    globalSetup: ['test/crash/setup.ts'],
    // Over a thousand kills take two minutes of a quiet machine, and more of a busy one.
    testTimeout: 600_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    maxConcurrency: 3,
    retry: 0,
  },
})
