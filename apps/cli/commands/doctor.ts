import { examine } from '../doctor/examine.ts'
import { toText, unknown, type Line } from '../doctor/line.ts'
import { runProbe } from '../doctor/probe/probe.ts'
import { openScene } from '../doctor/scene.ts'
import { EXIT } from '../exit-codes.ts'
import { readCommand } from '../own-words.ts'
import { printJson, printLines } from '../print.ts'

/** What must be well before a message can get through. */
const NEEDED = new Set(['settings', 'hub', 'database', 'MCP server'])

/**
 * Looks at this user's installation and says of each part whether it is well, or what mends it; with `e2e`, sends a
 * message through it. Ends with 1 when something needs mending.
 */
export async function doctor({ e2e, json }: { e2e?: boolean; json?: boolean }): Promise<void> {
  const lines: Line[] = []
  const tell = (finding: Line) => {
    const line = withOwnCommand(finding)
    lines.push(line)
    if (!json) printLines([toText(line)])
  }
  const scene = await openScene(process.env, process.cwd())
  for (const line of await examine(scene)) tell(line)
  const isBlocked = lines.some((line) => line.state === 'fix' && NEEDED.has(line.about))
  if (e2e && isBlocked) tell(unknown('probe', 'not sent: mend what stands above first'))
  else if (e2e) await runProbe(scene, tell)
  if (json) printJson(lines)
  if (lines.some((line) => line.state === 'fix')) process.exitCode = EXIT.failed
}

/** What is to be run can be run as it stands, however this installation is called here. */
function withOwnCommand(line: Line): Line {
  if (!line.run?.startsWith('claude-peers ')) return line
  return { ...line, run: line.run.replace('claude-peers', () => readCommand()) }
}
