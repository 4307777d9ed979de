import { defineConfig } from 'vitest/config'
import { testReporters } from './test/harness/reporters.ts'

/** The properties of test/fuzz for a minute each, or CLAUDE_PEERS_FUZZ_SECONDS: `npm run test:fuzz`. */
export default defineConfig({
  test: {
    ...testReporters(),
    include: ['test/fuzz/**/*.test.ts'],
    env: {
      CLAUDE_PEERS_NOTIFY_COMMAND: 'off',
      CLAUDE_PEERS_FUZZ_SECONDS: process.env['CLAUDE_PEERS_FUZZ_SECONDS'] || '60',
    },
    maxWorkers: 2,
    hookTimeout: 30_000,
    retry: 0,
  },
})
