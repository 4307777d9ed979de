import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { toOwnCommand, toOwnWords } from '../../apps/cli/own-words.ts'
import { createHome } from '../harness/home.ts'

test('a person types claude-peers where it is on the PATH, npx in the checkout, else the whole path', async () => {
  await using home = await createHome()
  const root = join(home.path, 'checkout')
  const bin = join(home.path, 'bin')
  await mkdir(join(root, 'node_modules/.bin'), { recursive: true })
  await mkdir(bin)
  await writeFile(join(bin, 'claude-peers'), '')
  await writeFile(join(root, 'node_modules/.bin/claude-peers'), '')
  const ofNpx = { PATH: join(root, 'node_modules/.bin') }
  expect(toOwnCommand({ env: { PATH: `/nowhere:${bin}` }, cwd: root, root })).toBe('claude-peers')
  expect(toOwnCommand({ env: ofNpx, cwd: root, root })).toBe('npx claude-peers')
  expect(toOwnCommand({ env: ofNpx, cwd: join(root, 'docs'), root })).toBe('npx claude-peers')
  expect(toOwnCommand({ env: ofNpx, cwd: home.path, root })).toBe(
    `${process.execPath} ${root}/bin/claude-peers.cjs`,
  )
})

test('a command for another machine stays as it is', () => {
  const text = 'run "claude-peers hub machines" there'
  expect(toOwnWords(text, '/home/ann')).toBe(text)
})

test('the command line shows paths below the home with ~, and whole ones as JSON', async () => {
  await using home = await createHome()
  const none = await home.cli(['send', 'x', 'y'])
  expect(none.code).toBe(1)
  const { stdout } = await home.cli(['status'])
  expect(stdout).toContain('Database: ~/.claude-peers.db\n')
  expect(stdout).not.toContain(home.path)
  const { database } = JSON.parse((await home.cli(['status', '--json'])).stdout) as { database: string }
  expect(database).toBe(`${home.path}/.claude-peers.db`)
  for (const args of [['config'], ['doctor'], ['backup']]) {
    expect((await home.cli(args)).stdout).not.toContain(home.path)
  }
})
