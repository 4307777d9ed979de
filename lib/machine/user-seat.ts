import type { HubClient } from '#client/connect'
import type { registerInput } from '#router/shapes/peers'
import type { z } from 'zod'
import type { Config } from './config.ts'
import { parseJson, readIfThere, writePrivate } from './files.ts'
import { readMachineId } from './machine-id.ts'
import { makePrivateDir } from './paths.ts'
import { toRealPath } from './project.ts'

/** What the person at this machine is registered with. */
export function toUserRegistration({ paths, host }: Config): z.infer<typeof registerInput> {
  return {
    machine: { id: readMachineId(paths.machineId), host, home: toRealPath(paths.home) },
    kind: 'user',
    directory: paths.home,
    root: paths.home,
    isRepo: false,
    summary: 'the person at this machine',
  }
}

/** The key of the person's seat, as it was kept last. */
export function readUserKey({ paths }: Config): string | undefined {
  const key = (parseJson(readIfThere(paths.user)) as { key?: unknown } | undefined)?.key
  return typeof key === 'string' ? key : undefined
}

/**
 * Takes the person's seat, speaking with the `key` that was kept (which the client of `hub` presents), and returns the
 * key that is valid now: it is kept beside the hub's token.
 */
export async function takeUserSeat(
  hub: HubClient['hub'],
  config: Config,
  key: string | undefined,
): Promise<string> {
  const registered = await hub.peers.register.mutate(toUserRegistration(config))
  if (registered.key !== key) {
    makePrivateDir(config.paths.dir)
    writePrivate(config.paths.user, JSON.stringify({ key: registered.key }))
  }
  return registered.key
}
