/** A client that an outer session has started, or a program that a person develops: it hands on what it has inherited. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CLAUDE_VERSIONS } from './install.ts'
import { contextOf } from './model.ts'
import { occurrences, startPeersRig } from './peers.ts'
import { waitUntil } from './processes.ts'
import { startInteractive } from './terminal.ts'

const MAIL = 'The outer session has ended.'
const INHERITED = {
  CLAUDE_CODE_ENTRYPOINT: 'sdk-cli',
  CLAUDE_CODE_SESSION_ID: '00000000-0000-4000-8000-000000000000',
  CLAUDE_PROJECT_DIR: '/outer',
  CLAUDE_PID: '1',
  CLAUDECODE: '1',
  NODE_OPTIONS: '--require=/no/such/file.cjs',
  NODE_V8_COVERAGE: '/no/such/directory',
  GIT_DIR: '/no/such/repository/.git',
}

describe.each(CLAUDE_VERSIONS)('claude %s', (version) => {
  test('an interactive session with the environment of an outer one has its own name, and is woken', async ({
    signal,
  }) => {
    await using rig = await startPeersRig(version)
    const client = rig.client('api')
    const env = { ...client.env, ...INHERITED }
    await using terminal = await startInteractive({ ...client, env, signal })
    await terminal.submit('hello')
    await terminal.waitForScreen(/● done/)
    const sessions = join(rig.home.path, '.claude-peers/sessions')
    await waitUntil(async () => (await readdir(sessions)).some((name) => name.endsWith('.waiter')), {
      timeoutMs: 10_000,
      failure: async () => `no waiter: ${(await readdir(sessions)).join()}`,
    })
    await rig.cli('send', 'api', MAIL)
    const request = await rig.model.waitForRequest((one) => contextOf(one).includes(MAIL))
    expect(occurrences(request, MAIL)).toBe(1)
  })
})
