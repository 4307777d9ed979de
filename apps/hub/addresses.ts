import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether an address, or a name as a URL has it, stays on this machine; also one of IPv4 written as IPv6. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || isIn(loopback, host)
}

function isIn(list: BlockList, host: string): boolean {
  const address = host.replaceAll(/^\[|\]$/g, '')
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4')
}
