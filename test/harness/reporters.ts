/** Prints what a person reads; where CLAUDE_PEERS_TEST_REPORT names a file, the counts go there as JSON as well. */
export function testReporters(report = process.env['CLAUDE_PEERS_TEST_REPORT']) {
  if (!report) return { reporters: ['default'] }
  return { reporters: ['default', 'json'], outputFile: { json: report } }
}
