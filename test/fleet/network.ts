import { degrade, ip, removeNamespace, toEntry, toPrefix } from './namespaces.ts'

/** One computer of a network: its address, and the words that run a program on it. */
export type NetworkHost = { name: string; address: string; enter: string[] }

/**
 * A network of computers, each in a namespace of its own with a link to one switch. Disposing it removes everything,
 * and what still runs in it.
 */
export type Network<Name extends string> = AsyncDisposable & {
  hosts: Record<Name, NetworkHost>
  /** Takes the interface of a computer down, as a person who turns the network off: it knows, and its calls fail. */
  turnOff(name: Name): Promise<void>
  turnOn(name: Name): Promise<void>
  /** Pulls the plug at the switch: the computer has its address still, and nobody hears it. */
  unplug(name: Name): Promise<void>
  plug(name: Name): Promise<void>
  /** Lets every packet from one computer to another vanish, without a word to either; the other way stays open. */
  swallow(from: Name, to: Name): Promise<void>
  restore(from: Name, to: Name): Promise<void>
  /** Delays and loses packets from and to a computer; false where this kernel cannot. */
  degrade(name: Name, how: { delayMs: number; lossPercent: number }): Promise<boolean>
  /** Gives a computer one more address. */
  addAddress(name: Name, address: string): Promise<void>
}

/** An address that no card has: the switch passes such a frame on, and nobody takes it. */
const NOBODY = '02:00:00:00:00:99'
const SUBNET = '100.64.0'

/** Makes a network; the first computer is 100.64.0.1. Nothing is left when that fails. */
export async function openNetwork<Name extends string>(...names: Name[]): Promise<Network<Name>> {
  const prefix = toPrefix()
  const switchSpace = `${prefix}switch`
  const spaceOf = (name: Name) => `${prefix}${name}`
  const made: string[] = []
  const hosts = {} as Record<Name, NetworkHost>

  async function makeNamespace(name: string) {
    await ip('netns', 'add', name)
    made.push(name)
    await ip('-n', name, 'link', 'set', 'lo', 'up')
  }

  async function attach(name: Name, number: number) {
    const space = spaceOf(name)
    const address = `${SUBNET}.${number}`
    await makeNamespace(space)
    await ip(
      'link',
      'add',
      'eth0',
      'netns',
      space,
      'type',
      'veth',
      'peer',
      'name',
      name,
      'netns',
      switchSpace,
    )
    await ip('-n', switchSpace, 'link', 'set', name, 'master', 'switch', 'up')
    await ip('-n', space, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await ip('-n', space, 'link', 'set', 'eth0', 'up')
    hosts[name] = { name, address, enter: toEntry(space) }
  }

  async function dispose() {
    for (const name of made.splice(0)) await removeNamespace(name)
  }

  const setLink = (space: string, device: string, state: 'up' | 'down') =>
    ip('-n', space, 'link', 'set', device, state).then(() => undefined)
  const neighbour = (to: Name) => [hosts[to].address, 'dev', 'eth0']
  try {
    await makeNamespace(switchSpace)
    await ip('-n', switchSpace, 'link', 'add', 'switch', 'type', 'bridge')
    await ip('-n', switchSpace, 'link', 'set', 'switch', 'up')
    for (const [index, name] of names.entries()) await attach(name, index + 1)
  } catch (cause) {
    await dispose()
    throw cause
  }
  return {
    hosts,
    turnOff: (name) => setLink(spaceOf(name), 'eth0', 'down'),
    turnOn: (name) => setLink(spaceOf(name), 'eth0', 'up'),
    unplug: (name) => setLink(switchSpace, name, 'down'),
    plug: (name) => setLink(switchSpace, name, 'up'),
    async swallow(from, to) {
      const target = neighbour(to)
      await ip('-n', spaceOf(from), 'neigh', 'replace', ...target, 'lladdr', NOBODY, 'nud', 'permanent')
    },
    async restore(from, to) {
      await ip('-n', spaceOf(from), 'neigh', 'del', ...neighbour(to))
    },
    degrade: async (name, how) =>
      (await degrade(spaceOf(name), { device: 'eth0', ...how })) &&
      degrade(switchSpace, { device: name, ...how }),
    async addAddress(name, address) {
      await ip('-n', spaceOf(name), 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    },
    [Symbol.asyncDispose]: dispose,
  }
}
