/** Adds up the reports of the test runs and closes with `N passed, N failed`; a missing report is a failure. */
import { readFileSync } from 'node:fs'

const [status, ...reports] = process.argv.slice(2)
let passed = 0
let failed = 0
for (const path of reports) {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as {
      numPassedTests: number
      numFailedTests: number
    }
    passed += report.numPassedTests
    failed += report.numFailedTests
  } catch {
    failed += 1
  }
}
if (status !== '0' && failed === 0) failed = 1
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
