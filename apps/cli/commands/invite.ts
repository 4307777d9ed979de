import { connect } from '#client/connect'
import { isLoopback } from '#machine/address'
import { readConfig } from '#machine/config'
import { FILE } from '#machine/config-trouble'
import { ensureHub } from '#machine/hub-process'
import { label as labelShape, type Invitation } from '#router/shapes/machines'
import { UsageError } from '../exit.ts'
import { readHubConfig, restartHub } from '../network/hub-machine.ts'
import { toReachable, type ReachOptions } from '../network/reach.ts'
import { changeSettings } from '../network/settings-file.ts'
import { toSetting } from '../network/usage.ts'
import { printJson, printLines } from '../print.ts'

/**
 * Makes a token for one other machine and prints the line that joins it. The hub is started, and made to listen where
 * other machines reach it, if need be.
 */
export async function invite(
  label: string,
  { json, ...options }: ReachOptions & { json?: boolean },
): Promise<void> {
  const checked = labelShape.safeParse(label)
  if (!checked.success) throw new UsageError(`the label: ${checked.error.issues[0]!.message}.`)
  const done = await openUp(options)
  const { invitation, url, trouble } = await askForInvitation(label, options.url)
  const command = `claude-peers join ${url} ${invitation.token}`
  if (json) return printJson({ ...invitation, url, command, done, trouble })
  const hours = Math.round((invitation.expiresAt - Date.now()) / 3_600_000)
  printLines([
    ...done,
    `Run this on ${label}, within ${hours} hours; it is shown this once, and works for one machine:`,
    '',
    command,
    '',
    ...(trouble === null ? [] : [`It works once the hub listens there. ${trouble}`, '']),
  ])
}

/** Says what was changed. */
async function openUp(options: ReachOptions): Promise<string[]> {
  const config = readHubConfig('invite <label>')
  const changes = toReachable(config, options)
  const names = Object.entries(changes).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`)
  if (names.length === 0) return (await isOutdated(options)) ? restart([]) : []
  const { backup } = await changeSettings(config, changes)
  return restart([
    `Written to ${FILE}: ${names.join(', ')}${backup ? `; what was there is in ${FILE}.backup` : ''}.`,
  ])
}

async function restart(done: string[]): Promise<string[]> {
  const ran = await restartHub()
  return [...done, ...(ran ? ['The hub was restarted; sessions follow by themselves.'] : [])]
}

/** Whether the hub runs with settings from before it was to be reached. */
async function isOutdated({ url }: ReachOptions): Promise<boolean> {
  const config = readConfig()
  if (url || isLoopback(config.bind)) return false
  const { reach } = await withOwnHub((hub) => hub.hub.stats.query())
  return reach.urls.length === 0 && reach.trouble === null
}

async function askForInvitation(
  label: string,
  typed: string | undefined,
): Promise<{ invitation: Invitation; url: string; trouble: string | null }> {
  return withOwnHub(async (hub) => {
    const { reach } = await hub.hub.stats.query()
    const url = typed === undefined ? reach.urls[0] : toSetting('broker_url', typed, '--url')
    if (url === undefined) {
      throw new Error(
        `No other machine reaches the hub: ${reach.trouble ?? 'set "bind" in ~/.claude-peers.json'}`,
      )
    }
    const trouble = typed === undefined ? reach.trouble : null
    return { invitation: await hub.machines.invite.mutate({ label }), url, trouble }
  })
}

async function withOwnHub<T>(work: (hub: ReturnType<typeof connect>['hub']) => Promise<T>): Promise<T> {
  const client = connect({ endpoint: await ensureHub(readConfig()) })
  try {
    return await work(client.hub)
  } finally {
    await client.close()
  }
}
