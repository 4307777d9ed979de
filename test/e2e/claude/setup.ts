import { CLAUDE_VERSIONS, installClaude } from './install.ts'

/** Has every pinned client installed before the first test, so that no test's time limit covers a download. */
export default async function setup(): Promise<void> {
  process.stdout.write(`these tests run the real Claude Code, ${CLAUDE_VERSIONS.join(' and ')}\n`)
  await Promise.all(CLAUDE_VERSIONS.map((version) => installClaude(version)))
}
