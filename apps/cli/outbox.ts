import { judge } from '#client/verdict'
import { readConfig, type Config } from '#machine/config'
import { ownIdentity } from '#machine/processes'
import { isSameSender, openSpoolOf, type Entry, type Named, type Spool } from '#machine/spool'
import { toUserRegistration } from '#machine/user-seat'
import { explainSize, sendInput, type SendInput, type Sent } from '#router/shapes/messages'
import { withUser } from './session.ts'

/** `isBehind`: the hub is there, and has yet to take what the person wrote before. */
export type Kept = { kept: Named<Entry>; isBehind: boolean }

/**
 * Sends as the person at this machine. A message for a remote hub that does not answer, or that others of the person
 * wait for, is kept on this computer under its key.
 */
export async function sendOrKeep(given: SendInput): Promise<Sent | Kept> {
  const config = readConfig()
  if (!config.remote) return withUser((hub) => hub.messages.send.mutate(given), { start: true })
  const input = check(given)
  const spool = openSpoolOf(config)
  try {
    return await withUser<Sent | Kept>(
      async (hub) =>
        isClear(spool, config)
          ? hub.messages.send.mutate(input)
          : keep(spool, config, { input, isBehind: true }),
      { start: true },
    )
  } catch (cause) {
    if (judge(cause) !== 'away') throw cause
    return keep(spool, config, { input, isBehind: false })
  }
}

/** What the hub would refuse is told at once, and not kept. */
function check(given: SendInput): SendInput {
  const trouble = explainSize(given.message)
  if (trouble !== undefined) throw new Error(trouble)
  const checked = sendInput.safeParse(given)
  if (checked.success) return checked.data
  throw new Error(checked.error.issues.map(({ message }) => message).join('; '))
}

function isClear(spool: Spool, config: Config): boolean {
  const sender = { registration: toUserRegistration(config) }
  return !spool.list().some((entry) => entry.hub === config.brokerUrl && isSameSender(sender, entry.sender))
}

function keep(
  spool: Spool,
  config: Config,
  { input, isBehind }: { input: SendInput; isBehind: boolean },
): Kept {
  const sender = { registration: toUserRegistration(config) }
  return { kept: spool.add({ hub: config.brokerUrl, sender, input, by: ownIdentity() }), isBehind }
}
