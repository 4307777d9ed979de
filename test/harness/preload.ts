import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Home } from './home.ts'

/** Has the MCP server and the hooks of a home load a file first, until the returned function is called. They obey no NODE_OPTIONS. */
export function preloadInto({ path }: Home, file: string): () => void {
  const settings = join(path, '.claude/settings.json')
  const run = `exec '${process.execPath}' `
  const text = readFileSync(settings, 'utf8')
  writeFileSync(settings, text.replaceAll(run, `${run}--require='${file}' `))
  const client = join(path, '.claude.json')
  const before = readFileSync(client, 'utf8')
  const config = JSON.parse(before) as { mcpServers: Record<string, { args: string[] }> }
  config.mcpServers['claude-peers']!.args.unshift(`--require=${file}`)
  writeFileSync(client, JSON.stringify(config))
  return () => {
    writeFileSync(settings, text)
    writeFileSync(client, before)
  }
}
