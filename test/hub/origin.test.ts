import { describe, expect, test } from 'vitest'
import { isNear, readOrigin, toSource } from '../../apps/hub/origin.ts'

const ADDRESS = '100.64.0.1'
const request = (from: string, called: string, headers: Record<string, string>) =>
  ({ socket: { remoteAddress: from, localAddress: called }, headers }) as never

describe('a request comes from this machine', () => {
  test.each([
    ['over the loopback', '127.0.0.1', '127.0.0.1', '127.0.0.1:7899'],
    ['over the loopback, by its name', '127.0.0.1', '127.0.0.1', 'localhost'],
    ['over another address of the loopback', '127.0.0.9', '127.0.0.2', '127.0.0.2:7899'],
    ['over IPv6’s loopback', '::1', '::1', '[::1]:7899'],
    ['where one socket serves IPv4 and IPv6', '::ffff:127.0.0.1', '::ffff:127.0.0.1', '127.0.0.1'],
    ['from its own address', ADDRESS, ADDRESS, `${ADDRESS}:7899`],
    ['from its own IPv6 address', 'fd00::2', 'fd00:0:0::2', '[fd00::2]:7899'],
  ])('%s', (_, from, called, host) => {
    expect(readOrigin(request(from, called, { host }))).toMatchObject({ near: true, fromHere: true })
  })

  test.each([
    ['when its address is another', '100.64.0.7', ADDRESS, { host: ADDRESS }],
    ['when its address is another, whatever Host it names', '100.64.0.7', ADDRESS, { host: 'localhost' }],
    ['when it calls a name', '127.0.0.1', '127.0.0.1', { host: 'studio' }],
    ['when it calls no name', '127.0.0.1', '127.0.0.1', {}],
    ['when it calls every address', '127.0.0.1', '127.0.0.1', { host: '0.0.0.0:7899' }],
    ['when it calls an address that was not called', '127.0.0.1', '127.0.0.1', { host: ADDRESS }],
    ['when it names two hosts', '127.0.0.1', '127.0.0.1', { host: 'localhost, localhost' }],
    ...['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'tailscale-user-login'].map(
      (name): [string, string, string, Record<string, string>] => [
        `when a proxy says ${name}`,
        '127.0.0.1',
        '127.0.0.1',
        { host: 'localhost', [name]: 'x' },
      ],
    ),
    ['when the connection has ended', '', '', { host: 'localhost' }],
  ])('not %s', (_, from, called, headers) => {
    expect(readOrigin(request(from, called, headers)).fromHere).toBe(false)
  })
})

test.each([
  ['100.64.0.7', '100.64.0.7'],
  ['::ffff:100.64.0.7', '100.64.0.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::9', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['fd7a:115c:a1e0::7', 'fd7a:115c:a1e0::7'],
  ['::1', '::1'],
  ['', 'unknown'],
])('what comes from %s is counted for %s', (remoteAddress, source) => {
  expect(toSource({ remoteAddress })).toBe(source)
})

test('what a proxy passes on is not counted for the machine itself', () => {
  const headers = { host: 'localhost', 'x-forwarded-for': '100.64.0.7' }
  expect(readOrigin(request('127.0.0.1', '127.0.0.1', headers)).source).toBe('127.0.0.1 (through a proxy)')
})

test('a connection is near when both of its ends are this machine', () => {
  expect(isNear({ remoteAddress: '127.0.0.1', localAddress: '127.0.0.1' })).toBe(true)
  expect(isNear({ remoteAddress: ADDRESS, localAddress: ADDRESS })).toBe(true)
  expect(isNear({ remoteAddress: '100.64.0.7', localAddress: ADDRESS })).toBe(false)
  expect(isNear({ remoteAddress: undefined, localAddress: undefined })).toBe(false)
})
