import { TRPCClientError } from '@trpc/client'
import { connect, type HubClient } from '#client/connect'
import { DEFAULT_PORT, type Config } from '#machine/config'
import { HubUnavailableError } from '#machine/hub-process'
import { readMachineId } from '#machine/machine-id'
import { askRemote, type RemotePlace } from '#machine/remote-hub'

export type Joined = Awaited<ReturnType<HubClient['hub']['machines']['join']['mutate']>>

const PATIENCE_MS = 5_000

/**
 * Says to a hub of another machine that this one is there, with the label that its sessions are to have; without one,
 * with that of the invitation. Rejects with an error that says what is in the way; nothing is changed here.
 */
export async function enterHub(
  place: RemotePlace,
  { config, host }: { config: Config; host: string | undefined },
): Promise<Joined> {
  const look = await askRemote(place, PATIENCE_MS)
  if (look.kind === 'refused') throw new Error(look.reason)
  if (look.kind) throw new HubUnavailableError(look.reason + toPortHint(place.url))
  const id = readMachineId(config.paths.machineId)
  const client = connect({ endpoint: place, timeoutMs: PATIENCE_MS })
  try {
    const enter = (label: string) => client.hub.machines.join.mutate({ machine: { id, host: label } })
    const joined = await enter(host ?? config.host)
    // Only now is it known what the invitation calls this machine.
    const isToRename = host === undefined && joined.label !== null && joined.label !== joined.host
    return isToRename ? await enter(joined.label!) : joined
  } catch (cause) {
    if (!isUnknownCall(cause)) throw cause
    throw new Error(
      `The hub at ${place.url} is older (${look.version}) and knows no machines: update it there, then join again.`,
      { cause },
    )
  } finally {
    await client.close()
  }
}

/** Port 80 is seldom meant; behind https it is a proxy's. */
function toPortHint(url: string): string {
  const { protocol, port } = new URL(url)
  return protocol === 'http:' && port === '' ? ` Is ":${DEFAULT_PORT}" missing from the URL?` : ''
}

/** A hub of before says NOT_FOUND to a procedure that it does not have. */
function isUnknownCall(cause: unknown): boolean {
  if (!(cause instanceof TRPCClientError)) return false
  return (cause.data as { code?: unknown } | undefined)?.code === 'NOT_FOUND'
}
