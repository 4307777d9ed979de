import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { createHostNames } from '../../apps/hub/host-names.ts'

const ADDRESS = '100.64.0.1'

test('a hub is called by the loopback, its machine and the names that were given, in any spelling', () => {
  const { isKnown } = createHostNames(['Studio', 'fd00::0:1', 'peers.example.com'])
  for (const host of ['localhost', '127.0.0.1', '::1', 'studio', 'fd00::1', 'peers.example.com']) {
    expect(isKnown(host)).toBe(true)
  }
  expect(isKnown(hostname().toLowerCase())).toBe(true)
  for (const host of ['0.0.0.0', '::', 'example.com', 'evil.example', 'any', ''])
    expect(isKnown(host)).toBe(false)
})

test('MagicDNS tells the names of a Tailscale address, once', async () => {
  const asked: string[] = []
  const names = createHostNames([], async (address) => {
    asked.push(address)
    return ['Studio.tail1234.ts.net.']
  })
  await names.learn(ADDRESS)
  await names.learn(ADDRESS)
  expect(asked).toEqual([ADDRESS])
  expect(names.learned).toEqual(['studio.tail1234.ts.net', 'studio'])
  expect(names.isKnown('studio.tail1234.ts.net')).toBe(true)
  expect(names.isKnown('studio')).toBe(true)
})

test('who does not answer is asked again', async () => {
  let answers = 0
  const names = createHostNames([], async () => {
    if (answers++ === 0) throw new Error('ETIMEOUT')
    return answers === 2 ? [] : ['studio.tail1234.ts.net']
  })
  await names.learn(ADDRESS)
  await names.learn(ADDRESS)
  expect(names.learned).toEqual([])
  await names.learn(ADDRESS)
  expect(names.isKnown('studio')).toBe(true)
})

test('nobody is asked for an address that is not Tailscale’s: its names could be anybody’s', async () => {
  const names = createHostNames([], async () => ['evil.example'])
  for (const address of ['192.168.1.5', '203.0.113.7', 'fd00::1', 'studio']) await names.learn(address)
  expect(names.learned).toEqual([])
})

test('what reverse DNS tells that is no name is no name', async () => {
  const names = createHostNames([], async () => ['a b', '', 'x'.repeat(70), 'evil.example/path', '*'])
  await names.learn(ADDRESS)
  expect(names.learned).toEqual([])
})
