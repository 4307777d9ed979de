import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readProject, toSummary } from '../../lib/machine/project.ts'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'claude-peers-project-')))
})
afterEach(() => rmSync(root, { recursive: true }))

const git = (...args: string[]) => execFileSync('git', ['-C', root, ...args], { stdio: 'pipe' })

test('a directory below a repository belongs to it, also on a branch without commits', async () => {
  git('init', '--quiet', '--initial-branch=topic/x')
  mkdirSync(join(root, 'deep/er'), { recursive: true })
  const project = await readProject(join(root, 'deep/er'))
  expect(project).toEqual({ cwd: join(root, 'deep/er'), root, isRepo: true, branch: 'topic/x' })
  expect(toSummary(project)).toMatch(/^Working on claude-peers-project-\w+ in deep\/er \(branch topic\/x\)$/)
})

test('a repository that is on no branch has none', async () => {
  git('init', '--quiet')
  git('-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '--quiet', '--allow-empty', '-m', 'x')
  git('checkout', '--quiet', '--detach')
  expect(await readProject(root)).toEqual({ cwd: root, root, isRepo: true, branch: undefined })
})

test('a directory outside of any repository stands alone, by its real path', async () => {
  symlinkSync(root, `${root}-link`)
  const project = await readProject(`${root}-link`)
  rmSync(`${root}-link`)
  expect(project).toEqual({ cwd: root, root, isRepo: false, branch: undefined })
  expect(toSummary(project)).toMatch(/^Working on claude-peers-project-\w+$/)
})

test('a summary is never longer than a hub takes', () => {
  const long = '/x'.repeat(2_000)
  const summary = toSummary({ cwd: `/r${long}`, root: '/r', isRepo: true, branch: 'b'.repeat(200) })
  expect(summary).toMatch(/^Working on r in x\/x.*…$/)
  expect(summary.length).toBeLessThanOrEqual(500)
})
