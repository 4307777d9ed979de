import { readConfig } from '#machine/config'
import { FILE } from '#machine/config-trouble'
import { findHub } from '#machine/hub-process'
import { VARIABLE } from '#machine/settings'
import { countKeptFor } from '../kept.ts'
import { changeSettings } from '../network/settings-file.ts'
import { countWaiting, toWaiting } from '../network/mail.ts'
import { printJson, printLines } from '../print.ts'

/** Makes this machine use a hub of its own again: the URL and the token leave `~/.claude-peers.json`, the rest stays. */
export async function leave({ json }: { json?: boolean }): Promise<void> {
  const config = readConfig()
  const url = config.brokerUrl
  if (!config.remote) {
    if (json) return printJson({ left: null })
    return printLines([`This machine uses its own hub at ${url}: there is none to leave.`])
  }
  if (config.origins.broker_url === 'environment') {
    throw new Error(`The hub at ${url} is set by ${VARIABLE.broker_url}: unset that variable.`)
  }
  const isOpen = (await findHub(config)) !== undefined
  const waiting = await countWaiting(config, ({ host }) => host === config.host.toLowerCase())
  const kept = countKeptFor(config, url)
  const change = await changeSettings(config, { broker_url: undefined, token: undefined })
  if (json) return printJson({ left: url, waiting, kept, ...change })
  printLines([
    `Left the hub at ${url}: sessions that start from now on use this machine's own hub.`,
    `Taken out of ${FILE}: broker_url and token; the old file is ${FILE}.backup.`,
    'Sessions that run now stay with the hub that they have until they are restarted.',
    waiting > 0
      ? `${toWaiting(waiting)} there for sessions of this machine, until it expires: join again to get it.`
      : 'Mail that waits there for sessions of this machine is kept until it expires, should you join again.',
    ...(kept > 0
      ? [`${toWaiting(kept)} on this computer for that hub to answer: sent if you join again.`]
      : []),
    ...(isOpen
      ? [`Its token still opens that hub: "claude-peers hub revoke ${config.host}" there ends that.`]
      : []),
  ])
}
