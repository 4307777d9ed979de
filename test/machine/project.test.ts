import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readProject, toSummary } from '../../lib/machine/project.ts'

let directory: string
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-work-')))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

function repository(name: string): string {
  const path = join(directory, name)
  execFileSync('git', ['init', '--quiet', '--initial-branch=trunk', path])
  return path
}

describe('where a session works', () => {
  test('is the repository, its branch, and the directory inside it', async () => {
    const root = repository('api')
    mkdirSync(join(root, 'src/db'), { recursive: true })
    const project = await readProject(join(root, 'src/db'))
    expect(project).toMatchObject({ cwd: join(root, 'src/db'), root, isRepo: true, branch: 'trunk' })
    expect(toSummary(project)).toBe('Working on api in src/db (branch trunk)')
    expect(toSummary(await readProject(root))).toBe('Working on api (branch trunk)')
  })

  test('is the directory itself where there is no repository', async () => {
    expect(await readProject(directory)).toMatchObject({
      cwd: directory,
      root: directory,
      isRepo: false,
      branch: undefined,
    })
  })

  test('is the directory itself where a repository names a root elsewhere', async () => {
    const [opened, other] = [repository('opened'), repository('other')]
    execFileSync('git', ['-C', opened, 'config', 'core.worktree', other])
    const alone = { cwd: opened, root: opened, isRepo: false, branch: undefined, repository: undefined }
    expect(await readProject(opened)).toMatchObject(alone)
  })

  test('is the directory itself in a bare repository that a project carries', async () => {
    const bare = join(repository('carrier'), 'fixture')
    execFileSync('git', ['init', '--quiet', '--bare', bare])
    execFileSync('git', ['-C', bare, 'config', 'core.bare', 'false'])
    execFileSync('git', ['-C', bare, 'config', 'core.worktree', directory])
    expect((await readProject(bare)).root).not.toBe(directory)
  })

  test('is the same through a link', async () => {
    const root = repository('api')
    symlinkSync(root, join(directory, 'link'))
    expect(await readProject(join(directory, 'link'))).toMatchObject({ cwd: root, root })
  })

  test('is the directory where there is no git', async () => {
    const root = repository('api')
    vi.stubEnv('PATH', '/nowhere')
    expect(await readProject(root)).toMatchObject({ cwd: root, root, isRepo: false, branch: undefined })
  })

  test.each([
    ['GIT_DIR', 'other/.git'],
    ['GIT_WORK_TREE', 'other'],
    ['GIT_COMMON_DIR', 'other/.git'],
    ['GIT_INDEX_FILE', 'other/.git/index'],
    ['GIT_OBJECT_DIRECTORY', 'other/.git/objects'],
    ['GIT_CEILING_DIRECTORIES', 'api'],
    ['GIT_CONFIG_GLOBAL', 'other/.git/config'],
    ['GIT_NAMESPACE', 'other'],
    ['GIT_EXEC_PATH', 'other'],
  ])('is its directory’s repository, whatever %s says', async (name, path) => {
    const root = repository('api')
    repository('other')
    mkdirSync(join(root, 'src'))
    vi.stubEnv(name, join(directory, path))
    expect(await readProject(join(root, 'src'))).toMatchObject({ root, branch: 'trunk' })
  })

  test('is its directory’s repository, whatever settings the environment gives git', async () => {
    const root = repository('api')
    vi.stubEnv('GIT_CONFIG_COUNT', '1')
    vi.stubEnv('GIT_CONFIG_KEY_0', 'core.worktree')
    vi.stubEnv('GIT_CONFIG_VALUE_0', directory)
    expect(await readProject(root)).toMatchObject({ root, branch: 'trunk' })
  })

  test('has no branch where none is checked out', async () => {
    const root = repository('api')
    const git = (...args: string[]) => execFileSync('git', ['-C', root, ...args], { stdio: 'pipe' })
    git('-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '--quiet', '--allow-empty', '-m', 'x')
    git('checkout', '--quiet', '--detach')
    expect(await readProject(root)).toMatchObject({ cwd: root, root, isRepo: true, branch: undefined })
  })

  test('is told in no more characters than a hub takes', () => {
    const plain = { repository: undefined, remote: undefined, place: undefined }
    const long = '/x'.repeat(2_000)
    const summary = toSummary({
      ...plain,
      cwd: `/r${long}`,
      root: '/r',
      isRepo: true,
      branch: 'b'.repeat(200),
    })
    expect(summary).toMatch(/^Working on r in x\/x.*…$/)
    expect(summary.length).toBeLessThanOrEqual(500)
  })
})
