import { setTimeout as wait } from 'node:timers/promises'
import { connect } from '#client/connect'
import { readConfig } from '#machine/config'
import { findHub } from '#machine/hub-process'
import { isAlive } from '#machine/processes'
import { printLines } from '../print.ts'

const PATIENCE_MS = 10_000

/** Asks the hub to stop and waits until its process is gone. Only the hub: sessions and their MCP servers live on. */
export async function stop(): Promise<void> {
  const config = readConfig()
  if (config.remote) {
    throw new Error(`The hub is on another machine (${config.brokerUrl}): run "claude-peers stop" there.`)
  }
  const found = await findHub(config)
  if (!found) return printLines(['No hub runs.'])
  const client = connect({ endpoint: found })
  const { pid } = await client.hub.hub.stop.mutate({ reason: 'asked' })
  await client.close()
  const deadline = Date.now() + PATIENCE_MS
  while (isAlive(pid)) {
    if (Date.now() > deadline)
      throw new Error(`The hub (pid ${pid}) was asked to stop and still runs: see ${config.paths.log}.`)
    await wait(20)
  }
  printLines([`Stopped the hub (pid ${pid}). No mail is lost; sessions that run start it again.`])
}
