import { defineConfig } from 'vitest/config'
import { testReporters } from './test/harness/reporters.ts'

/** Kills and power cuts: `npm run test:crash`. They need Linux and a C compiler, and take some four minutes. */
export default defineConfig({
  test: {
    ...testReporters(),
    include: ['test/crash/**/*.test.ts'],
    globalSetup: ['test/crash/setup.ts'],
    testTimeout: 240_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    maxConcurrency: 3,
    retry: 0,
  },
})
