import { defineConfig } from 'vitest/config'
import { testReporters } from './test/harness/reporters.ts'

/** The tests against the real Claude Code client: `npm run test:claude`. They need npm, tmux and some 700 MB of disk. */
export default defineConfig({
  test: {
    ...testReporters(),
    include: ['test/e2e/claude/**/*.test.ts'],
    globalSetup: ['test/e2e/claude/setup.ts'],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    // A client at start takes a whole core: more of them at once only makes each slower.
    maxWorkers: 2,
    // A flake is a bug of the product or of the harness: it is to be seen.
    retry: 0,
  },
})
