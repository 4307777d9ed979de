import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { escapeControls } from '#frame/escape'
import { VERSION } from '#machine/package'
import { EXIT } from './exit-codes.ts'

const HELP = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no hub to talk to. "hub", "migrate" and
"restore" end with 3 when another hub serves the database, 5 when that or the backup is newer, 6 when
a setting cannot be used; "hub" with 4 when the port is taken.

Examples:
  claude-peers send api "which port does the server use?"
  git diff | claude-peers send review@desktop
  claude-peers watch`

/** What the hub tells at once of its log. */
const MOST_LOGGED = 500

// Whoever closes the pipe (as head does) has read enough: that is no failure. A full disk is one.
process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  if (cause.code === 'EPIPE') process.exit(0)
  process.stderr.write(`claude-peers: the output could not be written: ${cause.message}\n`)
  process.exit(EXIT.failed)
})
void main(process.argv.slice(2)).then((code) => (process.exitCode = code))

/** Runs one command; each is loaded only when it is called. Returns the exit code. */
async function main(args: string[]): Promise<number> {
  const program = new Command('claude-peers')
    .description('Mail between your coding-agent sessions.')
    .version(VERSION)
    .showHelpAfterError('(claude-peers --help shows the commands)')
    .exitOverride()
    .configureOutput({ writeErr: (text) => void process.stderr.write(escapeControls(text)) })
    .addHelpText('after', HELP)
  addCommands(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? 0 : EXIT.usage
    if ((cause as NodeJS.ErrnoException).code === 'EPIPE') return 0
    // It knows the failures of every library: to load them takes as long as the command itself.
    return (await import('./exit.ts')).fail(cause)
  }
}

function addCommands(program: Command) {
  program
    .command('status')
    .description('show the hub and everybody who is connected')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/status.ts')).status(options))
  program
    .command('peers')
    .description('list the sessions, online and recently seen')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/peers.ts')).peers(options))
  program
    .command('send')
    .description(
      'send a message to a session as yourself; it takes it as the word of a colleague, not as yours at its prompt, because anything that runs as you can send so',
    )
    .argument(
      '<to>',
      'name, name@host or id; several are separated by commas; "all": every session that runs on this machine',
    )
    .argument('[message...]', 'the message; read from standard input when left out or "-"')
    .option('--fyi', 'for information: waits for the next event, blocks nothing')
    .option('--reply-to <id>', 'the message that this answers', toNumber)
    .option(
      '--expects-reply-within <minutes>',
      'get a note in your inbox when no answer came by then',
      toNumber,
    )
    .option('--json', 'print JSON')
    .action(async (to, words, options) => (await import('./commands/send.ts')).send(to, words, options))
  program
    .command('inbox')
    .description('read what sessions wrote to you')
    .option('--peek', 'only look: the messages stay unread')
    .option('--all', 'show again what you have taken, newest last')
    .option('-n, --limit <count>', 'with --all: how many, 500 at most', toLimit, 20)
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/inbox.ts')).inbox(options))
  program
    .command('log')
    .description('show recent messages and where they stand')
    .option('-n, --limit <count>', 'how many, 500 at most', toLimit, 20)
    .option('--with <peer>', 'only what this peer sent or got')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/log.ts')).log(options))
  program
    .command('message')
    .description('show one message whole, each step that it made, and how it goes on')
    .argument('<id>', 'its number', toNumber)
    .option('--json', 'print JSON')
    .action(async (id, options) => (await import('./commands/message.ts')).message(id, options))
  program
    .command('watch')
    .description('show sessions and messages as they come, until interrupted')
    .option('--json', 'print one JSON object a line')
    .action(async (options) => (await import('./commands/watch.ts')).watch(options))
  program
    .command('install')
    .description('add the MCP server and the delivery hooks to your Claude Code')
    .option('--print', 'only show what would change')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/install.ts')).install(options))
  program
    .command('uninstall')
    .description('take out what install added, and put back what it replaced')
    .option('--print', 'only show what would change')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/install.ts')).uninstall(options))
  program
    .command('doctor')
    .description('look at your installation, and say what is wrong and what mends it')
    .option('--e2e', 'also send a message through all of it, to a session made for that')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/doctor.ts')).doctor(options))
  program
    .command('kill-broker')
    .alias('stop')
    .description('stop the hub; sessions are left alone and start it again when they need it')
    .action(async () => (await import('./commands/stop.ts')).stop())
  addNetworkCommands(program)
  program
    .command('backup')
    .description('back up the database, also while the hub runs')
    .argument('[file]', 'a new file, or a directory; ~/.claude-peers/backups when left out')
    .option('--keep <count>', 'in that directory keep this many, and remove older ones', toNumber)
    .action(async (file: string | undefined, { keep }: { keep?: number }) =>
      runHub(['--backup', ...(keep === undefined ? [] : [`--keep=${keep}`]), ...toOperand(file)]),
    )
  program
    .command('restore')
    .description('put a backup in the place of the database, which is kept beside')
    .argument('<file>', 'the backup')
    .option('--stop', 'stop the hub first, if one runs')
    .action(async (file: string, { stop }: { stop?: boolean }) =>
      runHub(['--restore', ...(stop ? ['--stop'] : []), ...toOperand(file)]),
    )
  program
    .command('migrate')
    .description('bring the database up to date without starting the hub; the old file is kept')
    .action(async () => (await import('./commands/run.ts')).run('hub.js', ['--migrate']))
  program
    .command('probe-session', { hidden: true })
    .action(async () => (await import('./commands/probe-session.ts')).probeSession())
  program
    .command('mcp')
    .description('run the MCP server of one session (Claude Code does this)')
    .action(async () => (await import('./commands/run.ts')).run('mcp.js', []))
  program
    .command('hook')
    .description('run the delivery hook (Claude Code does this)')
    .argument('[pid]', 'the Claude process', String(process.ppid))
    .action(async (pid) => (await import('./commands/run.ts')).run('hook.cjs', [pid]))
}

async function runHub(args: string[]): Promise<void> {
  await (await import('./commands/run.ts')).run('hub.js', args)
}

/** A file may be called like an option. */
function toOperand(file: string | undefined): string[] {
  return file === undefined ? [] : ['--', file]
}

/** What makes one network of several machines. */
function addNetworkCommands(program: Command) {
  const hub = program
    .command('hub')
    .description('run the hub in the foreground; invite, list and revoke other machines')
    .allowExcessArguments()
    .action(async () => {
      if (hub.args.length > 0) hub.error(`error: ${await toUnknown(hub)}`)
      await runHub(['--foreground'])
    })
  hub
    .command('invite')
    .description('print the line that joins another machine to this hub')
    .argument('<label>', 'what that machine is called, such as laptop')
    .option('--url <url>', 'where it reaches this hub, as through a TLS proxy')
    .option('--bind <address>', 'the address of this machine that the hub is to listen on')
    .option('--json', 'print JSON')
    .action(async (label, options) => (await import('./commands/invite.ts')).invite(label, options))
  hub
    .command('machines')
    .description('list the other machines and the invitations')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/machines.ts')).machines(options))
  hub
    .command('revoke')
    .description('shut a machine out: its connections close at once')
    .argument('<label>', 'its label, or the id of its token')
    .option('--json', 'print JSON')
    .action(async (label, options) => (await import('./commands/machines.ts')).revoke(label, options))
  program
    .command('join')
    .description('use the hub of another machine, with the line that "hub invite" printed there')
    .argument('<url>', 'where that hub is')
    .argument('[token]', 'its token; read from standard input when left out or "-"')
    .option('--host <name>', 'what this machine is to be called in addresses')
    .option('--json', 'print JSON')
    .action(async (url, token, options) => (await import('./commands/join.ts')).join(url, token, options))
  program
    .command('leave')
    .description('use a hub of this machine again')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/leave.ts')).leave(options))
  program
    .command('config')
    .description('show every setting and where it comes from')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./commands/config.ts')).config(options))
}

/** What commander says of a command that has no action of its own. */
async function toUnknown({ args, commands }: Command): Promise<string> {
  const { suggest } = await import('#machine/suggest')
  const names = commands.map((command) => command.name())
  const meant = suggest(args[0]!, names)
  const next = meant ? `Did you mean "hub ${meant}"?` : `There are ${names.join(', ')}.`
  return `"hub ${args[0]}" is no command. ${next}`
}

function toNumber(text: string): number {
  const number = Number(text)
  if (number > 0 && Number.isSafeInteger(number) && number < Number.MAX_SAFE_INTEGER) return number
  throw new InvalidArgumentError('use a whole number from 1')
}

function toLimit(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0 && number <= MOST_LOGGED) return number
  throw new InvalidArgumentError(`use a whole number from 1 to ${MOST_LOGGED}`)
}
