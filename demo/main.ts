/**
 * The whole way of a message, on a scratch home and port, with the real hub, MCP servers, hooks and command line: what
 * stands for the two Claude Code processes runs what `claude-peers install` configured, as the client does.
 */
import { createHome } from '../test/harness/home.ts'
import { startSession, type Session } from '../test/harness/session.ts'
import { waitFor } from '../test/harness/wait.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)
const step = (title: string) => say(`\n\u001b[1m${title}\u001b[0m`)
const indent = (text: string) => say(text.replaceAll(/^/gm, '    '))

await using home = await createHome({ host: 'laptop' })

step('1. Install into a scratch home')
const installed = await home.cli(['install'])
if (installed.code !== 0) throw new Error(installed.stderr)
indent(installed.stdout.trim())

step('2. Two sessions start; the first one starts the hub')
await using web = await startSession(home, { cwd: await home.project('web', { git: true }) })
await using api = await startSession(home, { cwd: await home.project('api', { git: true }) })
indent((await home.cli(['status'])).stdout.trim())

step('3. web looks for api, and writes to it')
await tool(web, 'list_peers')
const question = await tool(web, 'send_message', {
  to: 'api',
  message: 'Which port does your dev server use?',
})

step('4. api makes a tool call; its PostToolUse hook prints what the model will see')
indent(await delivered(api, 'PostToolUse'))

step('5. web asks for the receipt')
await tool(web, 'message_status', { message_id: question['message_id'] })

step('6. api answers')
const reply = await tool(api, 'send_message', {
  to: 'web@laptop',
  message: 'Port 4000.',
  reply_to: question['message_id'],
})

step('7. web wants to end its turn; its Stop hook holds it and hands the answer over')
indent(await delivered(web, 'Stop'))

step('8. api asks for the receipt')
await tool(api, 'message_status', { message_id: reply['message_id'] })

step('9. The log, as a person reads it')
indent((await home.cli(['log'])).stdout.trim())
say(
  '\nDone. The scratch home and its hub are gone; "npx claude-peers install" is the same for your own sessions.',
)

async function tool(session: Session, name: string, args: Record<string, unknown> = {}) {
  indent(`${name} ${JSON.stringify(args)}`)
  const result = await session.tool(name, args)
  if (result.isError) throw new Error(result.text)
  indent(result.text.replaceAll(/^/gm, '  '))
  return result.data
}

async function delivered(session: Session, event: string): Promise<string> {
  // A session makes many tool calls; the mail comes with the first after it arrived.
  return waitFor(() => session.deliver(event), `mail with ${event}`)
}
