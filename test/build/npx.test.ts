import { cp, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { claimDatabase } from '../../apps/hub/claim.ts'
import { waitFor } from '../harness/wait.ts'
import { copyCheckout, type Checkout, type Run } from './checkout.ts'

/** Several processes of npm and a build, on a machine that runs other tests as well. */
const TIMEOUT_MS = 180_000
const npx = (checkout: Checkout, cache: string) =>
  checkout.start(['npx', 'claude-peers', '--version'], { cache })
const build = (checkout: Checkout) => checkout.start([process.execPath, 'build.ts'])
const version = { code: 0, signal: null, output: expect.stringMatching(/^3\.\d+\.\d+\n$/) as string }

/** Which file each program is now: a file that was replaced is another one. */
async function identities({ path }: Checkout) {
  const names = (await readdir(join(path, 'dist'))).toSorted()
  return Promise.all(names.map(async (name) => `${name} ${(await stat(join(path, 'dist', name))).ino}`))
}

describe('npx in a checkout', { timeout: TIMEOUT_MS }, () => {
  // Seen: of five at once, two ended with 1 and printed nothing.
  test('works for several first calls at once, with caches of their own and a shared one', async () => {
    await using checkout = await copyCheckout({ built: false })
    const calls = ['one', 'two', 'three', 'four', 'four'].map((cache) => npx(checkout, cache).ended)
    expect(await Promise.all(calls)).toEqual(calls.map(() => version))
  })

  test('builds nothing when the sources are those of the last build', async () => {
    await using checkout = await copyCheckout({ built: true })
    const before = await identities(checkout)
    expect(await npx(checkout, 'new').ended).toEqual(version)
    expect(await identities(checkout)).toEqual(before)
  })

  test('asks for no lock, and so for no right to write, when there is nothing to build', async () => {
    await using checkout = await copyCheckout({ built: true })
    const claim = claimDatabase(join(checkout.path, '.build/build'))!
    const prepared = checkout.start([process.execPath, 'bin/prepare.cjs'])
    expect(await prepared.ended).toEqual({ code: 0, signal: null, output: '' })
    claim.release()
  })

  test('builds when a source has changed', async () => {
    await using checkout = await copyCheckout({ built: true })
    const source = join(checkout.path, 'package.json')
    const text = await readFile(source, 'utf8')
    await writeFile(source, text.replace(/"version": "[^"]+"/, '"version": "3.999.0"'))
    expect(await npx(checkout, 'new').ended).toEqual({ ...version, output: '3.999.0\n' })
  })
})

describe('a build', { timeout: TIMEOUT_MS }, () => {
  // Seen: a server died of a chunk that it wanted while `dist` was made again.
  test('takes no file from programs that start or run meanwhile', async () => {
    await using checkout = await copyCheckout({ built: true })
    const before = await readdir(join(checkout.path, 'dist'))
    // Each of these programs loads a part of its own by name.
    const source = join(checkout.path, 'apps/hub/prometheus.ts')
    await writeFile(source, (await readFile(source, 'utf8')).replace('Open WebSockets.', 'WebSockets.'))
    const ends: Run[] = []
    const built = build(checkout).ended.then((run) => void ends.push(run))
    const failures: Run[] = []
    let calls = 0
    while (ends.length === 0) {
      calls++
      const call = await checkout.start([process.execPath, 'bin/claude-peers.cjs', 'hub', '--help']).ended
      if (call.code !== 0 || !call.output.includes('Usage:')) failures.push(call)
    }
    await built
    expect(ends[0]!.code).toBe(0)
    expect(calls).toBeGreaterThan(5)
    expect(failures).toEqual([])
    const after = await readdir(join(checkout.path, 'dist'))
    expect(after).toEqual(expect.arrayContaining(before))
    expect(after.filter((name) => name.startsWith('hub-prometheus'))).toHaveLength(2)
  })

  test('that is killed leaves programs that run, and holds up no other', async () => {
    await using checkout = await copyCheckout({ built: true })
    const dist = join(checkout.path, 'dist')
    await rm(join(dist, 'notify.js'))
    const killed = build(checkout)
    const isAtWork = async () =>
      (await readdir(join(checkout.path, '.build'))).some((name) => name.startsWith('new-'))
    await waitFor(isAtWork, 'the build to begin')
    process.kill(killed.pid, 'SIGKILL')
    expect((await killed.ended).signal).toBe('SIGKILL')
    const before = await readdir(dist)
    expect(before).toContain('cli.cjs')
    const next = checkout.start([process.execPath, 'bin/prepare.cjs'])
    expect(await next.ended).toMatchObject({ code: 0, output: '' })
    expect(await readdir(dist)).toEqual(expect.arrayContaining([...before, 'notify.js']))
    expect(await readdir(join(checkout.path, '.build'))).toEqual(['build.lock', 'built.json'])
  })
})

test('an installed package has nothing to prepare, and needs no library for it', async () => {
  await using checkout = await copyCheckout({ built: true })
  const installed = join(checkout.home, 'claude-peers')
  await mkdir(installed)
  const { files } = JSON.parse(await readFile(join(checkout.path, 'package.json'), 'utf8')) as {
    files: string[]
  }
  for (const name of [...files, 'package.json'].filter((one) => one !== 'CHANGELOG.md')) {
    await cp(join(checkout.path, name), join(installed, name), { recursive: true })
  }
  const run = await checkout.start(['npm', 'run', '--silent', 'prepare'], { cwd: installed }).ended
  expect(run).toEqual({ code: 0, signal: null, output: '' })
})
