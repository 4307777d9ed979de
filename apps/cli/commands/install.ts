import { readConfig } from '#machine/config'
import { PACKAGE_ROOT } from '#machine/package'
import { installInto } from '../install/install.ts'
import type { Report } from '../install/report.ts'
import { uninstallFrom } from '../install/uninstall.ts'
import { printJson, printLines } from '../print.ts'

type Options = { print?: boolean; json?: boolean }

/** Adds the MCP server and the hooks to this user's Claude Code, and says what changed. */
export async function install({ print = false, json }: Options): Promise<void> {
  const report = await installInto({ ...place(), node: process.execPath, root: PACKAGE_ROOT, print })
  if (json) return printJson(report)
  if (report.length === 0) return printLines(['Everything is installed already: nothing changed.'])
  printLines([
    ...describe(report, print),
    ...(print ? [] : ['Sessions started from now on take part; restart those that run.']),
  ])
}

/** Takes out what install added, puts back what it replaced, and says what changed. */
export async function uninstall({ print = false, json }: Options): Promise<void> {
  const report = await uninstallFrom({ ...place(), print })
  if (json) return printJson(report)
  if (report.length === 0) return printLines(['Nothing of claude-peers is installed: nothing changed.'])
  printLines([
    ...describe(report, print),
    ...(print
      ? []
      : ['Your messages stay in ~/.claude-peers.db. A hub that runs is stopped with: claude-peers stop']),
  ])
}

const place = () => ({ home: readConfig().paths.home, env: process.env })

function describe(report: Report, print: boolean): string[] {
  const title = print ? ['This would change:'] : []
  return [...title, ...report.map((change) => `${change.file}: ${change.action} ${change.detail}`)]
}
