import { defineConfig } from 'vitest/config'
import { testReporters } from './test/harness/reporters.ts'

export default defineConfig({
  test: {
    ...testReporters(),
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/claude/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
