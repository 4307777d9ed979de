/**
 * The probe's own session: a process that stands for Claude Code in a directory that nobody else has, so that it takes
 * no seat but a new one, whatever sessions run and wherever the doctor was called from.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { readCard, sessionFile, type Card } from '#machine/cards'
import { PACKAGE_ROOT } from '#machine/package'
import { toLabel } from '#machine/processes'
import { toCaller } from '#probe/calls'
import { asWord, isObject } from '../../install/document.ts'
import type { Scene } from '../scene.ts'

export type ProbeSession = {
  sessionId: string
  directory: string
  /** Where the client would keep what its model saw. */
  transcript: string
  call: ReturnType<typeof toCaller>
  /** The last line that it or its MCP server said on standard error. */
  complaint(): string
  card(): Card | undefined
  hasMail(): boolean
  /** Ends it and its MCP server, and removes its files. */
  end(): Promise<void>
}

const GOODBYE_MS = 5_000

/** Starts the process; its MCP server is started by a call. */
export async function openProbeSession(scene: Scene): Promise<ProbeSession> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-')))
  const directory = join(base, 'doctor-probe')
  const transcript = join(base, 'transcript.jsonl')
  const sessionId = randomUUID()
  await mkdir(directory)
  // In a repository around the temporary directory, the probe would take the seat of a session of that one. Git looks no
  // further than a file that names a repository which is none, and no variable tells it to stop: servers obey none of git's.
  await writeFile(join(directory, '.git'), 'gitdir: nowhere\n')
  await writeFile(transcript, '', { mode: 0o600 })
  const child = spawn(
    await toProgram(base),
    [join(PACKAGE_ROOT, 'bin', 'claude-peers.cjs'), 'probe-session'],
    {
      cwd: directory,
      env: toEnvironment(scene, { directory, sessionId }),
      // An interrupt is the doctor's to handle: it cleans up.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    },
  )
  const exited = once(child, 'exit')
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await once(child, 'spawn')
  const pid = child.pid!
  const { sessions } = scene.paths
  const call = toCaller(child)
  return {
    sessionId,
    directory,
    transcript,
    call,
    complaint: () => stderr.trim().split('\n').at(-1) ?? '',
    card: () => readCard(sessions, pid),
    hasMail: () => existsSync(sessionFile(sessions, pid, 'mail')),
    async end() {
      await Promise.race([call('stop').catch(() => undefined), wait(GOODBYE_MS, undefined, { ref: false })])
      // A server or hook that hangs has the session's group.
      if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGKILL')
      await exited
      removeFiles(sessions, pid)
      await rm(base, { recursive: true, force: true })
    },
  }
}

/** Node by the client's name: on systems that show the name of the file, a server knows its client by that. */
async function toProgram(base: string): Promise<string> {
  const program = join(base, 'claude')
  await symlink(process.execPath, program)
  return program
}

/** What the user's client would have: without what a session around the doctor put there, and with the client's own. */
function toEnvironment(
  { env, settings }: Scene,
  { directory, sessionId }: { directory: string; sessionId: string },
): NodeJS.ProcessEnv {
  const foreign = /^(CLAUDECODE|CLAUDE_(?!PEERS_|CONFIG_DIR).*|GIT_.*|INIT_CWD|PWD|OLDPWD|NODE_CHANNEL_.*)$/
  const kept = Object.entries(env).filter(([name]) => !foreign.test(name))
  const given = isObject(settings.value?.env) ? settings.value.env : {}
  return {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(Object.entries(given).map(([name, value]) => [name, asWord(value)])),
    CLAUDECODE: '1',
    CLAUDE_CODE_ENTRYPOINT: 'cli',
    CLAUDE_CODE_SESSION_ID: sessionId,
    CLAUDE_PROJECT_DIR: directory,
    PWD: directory,
  }
}

/** What a server that was killed leaves: the name of each of its files begins with its Claude process. */
function removeFiles(sessions: string, pid: number) {
  if (!existsSync(sessions)) return
  for (const name of readdirSync(sessions)) {
    if (name.startsWith(`${toLabel(pid)}.`)) rmSync(join(sessions, name), { force: true })
  }
}
