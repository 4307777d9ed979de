import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { joinAs } from '../harness/peer.ts'
import { startFrom } from '../harness/starter.ts'
import { toPersonLine } from '../../apps/hub/person-log.ts'
import { openMachine, openStudio } from './network.ts'
import { BIN } from './program.ts'

const run = promisify(execFile)

test('a machine that has joined can write to the person at the hub, who never ran a command there', async () => {
  await using studio = await openStudio()
  await using laptop = await openMachine()
  expect((await laptop.cli(['join', ...(await studio.invite('laptop'))])).code).toBe(0)
  const { code, stderr } = await laptop.cli(['send', 'user@studio', 'hello from the laptop'])
  expect([code, stderr]).toEqual([0, ''])
  expect((await studio.home.cli(['inbox'])).stdout).toContain('│ hello from the laptop')
  const all = await studio.home.cli(['inbox', '--all'])
  expect(all.stdout).toContain('│ hello from the laptop')
  expect(JSON.parse((await studio.home.cli(['inbox', '--all', '--json'])).stdout)).toMatchObject([
    { from: 'user@laptop', text: 'hello from the laptop' },
  ])
})

test('another machine that joins leaves the key of the person at the hub valid', async () => {
  await using studio = await openStudio()
  await studio.home.cli(['inbox'])
  await using laptop = await openMachine()
  await laptop.cli(['join', ...(await studio.invite('laptop'))])
  expect((await studio.home.cli(['peers'])).stdout.match(/user@studio/g)).toHaveLength(1)
  expect((await studio.home.cli(['inbox'])).code).toBe(0)
})

test('leave after a revoke does not say that the token opens the hub', async () => {
  await using studio = await openStudio()
  await using laptop = await openMachine()
  await laptop.cli(['join', ...(await studio.invite('laptop'))])
  expect((await studio.home.cli(['hub', 'revoke', 'laptop'])).code).toBe(0)
  const { code, stdout } = await laptop.cli(['leave'])
  expect(code).toBe(0)
  expect(stdout).toContain('Left the hub at ')
  expect(stdout).not.toContain('still opens')
})

test('the log of mail to a person says how the person reads it, and names no hook', async () => {
  await using home = await createHome()
  await startFrom(home)
  await home.cli(['inbox'])
  await using web = await joinAs(home, 'web')
  await web.send('user@laptop', 'for the person')
  const { stdout } = await home.cli(['log'])
  expect(stdout).toContain('user@laptop')
  expect(stdout).toContain('for the person')
  expect(stdout).toContain('claude-peers inbox')
  expect(stdout).not.toMatch(/hook|check_messages|tool call/)
})

test('a hub in a terminal speaks to the person: where it listens, its database, how to stop it', async () => {
  await using home = await createHome()
  const command = `timeout -s INT 4 '${process.execPath}' '${BIN}' hub`
  const { stdout } = await run('script', ['-qec', command, '/dev/null'], {
    env: home.env,
    cwd: home.path,
  }).catch((cause: unknown) => cause as { stdout: string })
  expect(stdout).toContain(`listens at http://127.0.0.1:${home.env['CLAUDE_PEERS_PORT']}`)
  expect(stdout).toContain('Database: ~/.claude-peers.db')
  expect(stdout).toContain('Press Ctrl+C to stop it.')
  expect(stdout).toContain('hub stops (reason: SIGINT)')
  expect(stdout).not.toContain('{"level"')
})

test('a warning of the hub in a terminal is one line of words, which nothing in it can steer', () => {
  const time = new Date(2026, 10, 22, 14, 30).toISOString()
  const line = { level: 40, time, pid: 1, from: '10.0.0.2\u001b[2J', status: 401, msg: 'wrong token' }
  expect(toPersonLine(JSON.stringify(line), '/home/ann')).toBe(
    `14:30:00  ! wrong token (from: 10.0.0.2, status: 401)\n`,
  )
})
