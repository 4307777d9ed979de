/**
 * The pinned Claude Code clients come from npm and live outside git. A version that cannot be had is an error,
 * never a skipped test: a green run means that the real client was run.
 */
import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** The client versions that every end-to-end test runs on: the oldest supported one and the newest of the day. */
export const CLAUDE_VERSIONS = ['2.1.197', '2.1.332'] as const

/** One of the pinned client versions. */
export type ClaudeVersion = (typeof CLAUDE_VERSIONS)[number]

/** Answers the path of the client binary of `version`, installing it from npm on first use; throws if npm cannot. */
export async function installClaude(version: string): Promise<string> {
  const target = join(cacheDirectory(), `claude-code-${version}`)
  const binary = join(target, 'claude')
  if (await isExecutable(binary)) return binary
  const spec = `${packageName()}@${version}`
  process.stderr.write(`installing ${spec} into ${target} (once, some 300 MB)\n`)
  await mkdir(dirname(target), { recursive: true })
  const staging = await mkdtemp(`${target}.partial-`)
  try {
    await npmInstall(spec, staging)
    await promote(join(staging, 'node_modules', packageName()), target)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  if (await isExecutable(binary)) return binary
  throw new Error(`${spec} holds no executable "claude": remove ${target} and look at the package`)
}

const execFileAsync = promisify(execFile)
const PLATFORMS = new Set(['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'])

function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'claude-peers-test')
}

function packageName(): string {
  const platform = `${process.platform}-${process.arch}`
  if (PLATFORMS.has(platform)) return `@anthropic-ai/claude-code-${platform}`
  throw new Error(
    `the tests know no Claude Code package for ${platform}, only for ${[...PLATFORMS].join(', ')}`,
  )
}

/** npm checks the package's integrity and unpacks it; its environment is ours, so a configured registry is used. */
async function npmInstall(spec: string, prefix: string): Promise<void> {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--no-package-lock']
  await execFileAsync('npm', ['install', '--prefix', prefix, ...flags, spec], {
    cwd: prefix,
    timeout: 600_000,
    maxBuffer: 16 * 1024 * 1024,
  }).catch((error: Error & { stderr?: string }) => {
    const reason = error.stderr?.trim() || error.message
    throw new Error(`npm could not install ${spec}; these tests need the real client.\n${reason}`, {
      cause: error,
    })
  })
}

/** A rename shows the whole directory at once; when another installer was faster its copy is as good as ours. */
async function promote(from: string, target: string): Promise<void> {
  await rename(from, target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
  })
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
