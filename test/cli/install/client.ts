/** Stands in for `claude mcp add|remove`: logs the call and edits the user configuration as version 2.1.330 does. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [log = '', ...args] = process.argv.slice(2)
const { HOME = '', CLAUDE_CONFIG_DIR } = process.env
appendFileSync(log, `${JSON.stringify({ args, home: HOME, moved: CLAUDE_CONFIG_DIR })}\n`)

if (HOME === '') fail('HOME is not set')
const file = join(CLAUDE_CONFIG_DIR ?? HOME, '.claude.json')
const config = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
const end = args.indexOf('--')
const variables = args.filter((_, at) => args[at - 1] === '--env' && at < end)
const name = args.find(
  (word, at) => at > 1 && !word.startsWith('--') && !/^--(scope|transport|env)$/.test(args[at - 1]!),
)!
const servers = { ...config.mcpServers }
if (args[1] === 'add' && name in servers) fail(`MCP server ${name} already exists in user config`)
if (args[1] === 'remove' && !(name in servers)) fail(`No user-scoped MCP server found with name: ${name}`)
const [command, ...rest] = args.slice(args.indexOf('--') + 1)
if (args[1] === 'add')
  servers[name] = {
    type: 'stdio',
    command,
    args: rest,
    env: Object.fromEntries(variables.map((one) => one.split('='))),
  }
else delete servers[name]
writeFileSync(file, JSON.stringify({ ...config, mcpServers: servers }, undefined, 2), { mode: 0o600 })

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
