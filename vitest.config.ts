import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { testReporters } from './test/harness/reporters.ts'

export default defineConfig({
  test: {
    ...testReporters(),
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/claude/**', 'test/crash/**', 'test/fleet/**'],
    // Tests of whole processes wait more than they work.
    maxWorkers: Math.max(2, availableParallelism()),
    // A hub that a test starts never reaches the desktop of whoever runs it.
    env: { CLAUDE_PEERS_NOTIFY_COMMAND: 'off' },
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
