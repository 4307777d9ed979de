import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createHome, type CliRun, type Home } from '../harness/home.ts'
import { startFrom } from '../harness/starter.ts'
import { openProxy, type Proxy } from '../harness/proxy.ts'

/** The machine of a hub, and a way to it that makes it a remote one. */
export type Studio = AsyncDisposable & {
  home: Home
  proxy: Proxy
  /** Invites a machine there, and gives the words after `claude-peers join` of the line to paste. */
  invite(label: string): Promise<[url: string, token: string]>
}

/** Opens it; its hub runs. */
export async function openStudio(): Promise<Studio> {
  const home = await createHome({ host: 'studio' })
  await startFrom(home)
  const proxy = await openProxy((await home.rendezvous()).url)
  return {
    home,
    proxy,
    async invite(label) {
      const { code, stdout, stderr } = await home.cli(['hub', 'invite', label, '--url', proxy.url])
      if (code !== 0) throw new Error(stderr)
      const [line, ...others] = stdout.split('\n').filter((one) => one.startsWith('claude-peers '))
      if (others.length > 0) throw new Error(`more than one line to paste: ${stdout}`)
      const [, , url, token, ...rest] = line!.split(' ')
      if (rest.length > 0) throw new Error(line)
      return [url!, token!]
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await home[Symbol.asyncDispose]()
    },
  }
}

/** Another machine: its label is not set by the environment, so that the invitation's counts. */
export async function openMachine(): Promise<Home> {
  const home = await createHome()
  delete home.env['CLAUDE_PEERS_HOST']
  return home
}

export const settingsOf = (home: Home) => join(home.path, '.claude-peers.json')
export const readSettings = async (home: Home) =>
  JSON.parse(await readFile(settingsOf(home), 'utf8')) as object
export const writeSettings = (home: Home, settings: object | string) =>
  writeFile(
    settingsOf(home),
    typeof settings === 'string' ? settings : JSON.stringify(settings, undefined, 2),
    {
      mode: 0o600,
    },
  )

/** Runs a command in a directory of a home. */
export async function runIn(home: Home, directory: string, args: string[]): Promise<CliRun> {
  const cwd = join(home.path, directory)
  await mkdir(cwd, { recursive: true })
  const bin = join(import.meta.dirname, '../../bin/claude-peers.cjs')
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { env: home.env, cwd }, (cause, stdout, stderr) =>
      resolve({ code: cause ? Number(cause.code ?? 1) : 0, stdout, stderr }),
    )
  })
}
