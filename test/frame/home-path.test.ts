import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { shortenPath, shortenPaths } from '../../lib/frame/home-path.ts'

const HOME = '/home/ann'

test.each([
  ['/home/ann/code/api', '~/code/api'],
  ['/home/ann', '~'],
  ['/home/anna/code', '/home/anna/code'],
  ['/srv/home/ann/x', '/srv/home/ann/x'],
])('the path %s is shown as %s', (path, shown) => {
  expect(shortenPath(path, HOME)).toBe(shown)
  expect(shortenPaths(`See ${path}.`, HOME)).toBe(`See ${shown}.`)
})

test('an unknown home, or one that is the root, shortens nothing', () => {
  for (const home of [undefined, null, '', '/']) {
    expect([shortenPath('/a/b', home), shortenPaths('/a/b', home)]).toEqual(['/a/b', '/a/b'])
  }
})

test('a shortened command names the same files to a shell', () => {
  const words = `printf %s\\\\n /home/ann/a '/home/ann/b c' '/home/ann' /home/ann/d`
  const shown = shortenPaths(words, HOME)
  const run = (line: string) => execFileSync('/bin/sh', ['-c', line], { env: { HOME }, encoding: 'utf8' })
  expect(shown).toContain(" ~/a '/home/ann/b c' '/home/ann' ~/d")
  expect(run(shown)).toBe(run(words))
})
