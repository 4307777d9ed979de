import semver from 'semver'
import type { Config } from '#machine/config'
import { explainAbsence, explainDatabase, type Absence } from '#machine/hub-absence'
import type { HubAddress } from '#machine/hub-process'
import { explainMovedDatabase } from '#machine/moved-database'
import { VERSION } from '#machine/package'
import { seeHub } from '../seen-hub.ts'
import { ok, toFix, unknown, type Line } from './line.ts'
import { checkNetwork } from './network.ts'
import type { Scene } from './scene.ts'

const about = 'hub'
const STOP = 'claude-peers stop'

/** Whether the hub answers, is of this version, and serves the configured database. Starts none. */
export async function checkHub({ config: { value: config }, paths }: Scene): Promise<Line[]> {
  if (!config) return [unknown(about, 'not looked for: the settings cannot be used')]
  try {
    const seen = await seeHub(config, async () => undefined)
    if (!seen) return [toAbsent(await explainAbsence(config)), ...checkMoved(config)]
    const { found, stats } = seen
    const { pid, version } = stats
    return [
      ok(about, `${version} answers at ${found.url}, pid ${pid}`),
      checkVersion(config, found),
      checkDatabase(config, found),
      ...(await checkNetwork(config, stats)),
    ]
  } catch (cause) {
    return [toFix(about, `${(cause as Error).message} See ${paths.log}.`)]
  }
}

/** A hub starts when it is needed: that none runs is no fault. */
function toAbsent({ kind, reason }: Absence): Line {
  if (kind === 'none' || kind === 'starting') return unknown(about, reason)
  return toFix(about, reason, kind === 'silent' || kind === 'elsewhere' ? STOP : undefined)
}

/** A newer local hub never hands over to an older installation; a remote one, or a service, never to anybody. */
function checkVersion({ remote, brokerUrl }: Config, { version, foreground }: HubAddress): Line {
  const name = 'hub version'
  if (semver.eq(version, VERSION)) return ok(name, `${version}, as this installation`)
  const differs = `the hub is ${version}, this installation ${VERSION}.`
  if (semver.gt(version, VERSION)) return toFix(name, `${differs} Update this installation to ${version}.`)
  if (remote) return toFix(name, `${differs} Update the one at ${brokerUrl}.`)
  if (foreground) return toFix(name, `${differs} It runs as a service: update it and restart that.`)
  return toFix(name, `${differs} When it is stopped, the next session or command starts the newer one.`, STOP)
}

function checkMoved(config: Config): Line[] {
  const moved = config.remote ? undefined : explainMovedDatabase(config)
  return moved ? [toFix('database', moved)] : []
}

function checkDatabase(config: Config, found: HubAddress): Line {
  const name = 'database'
  if (config.remote) return unknown(name, 'that of the remote hub')
  const trouble = explainDatabase(found, config)
  if (trouble) return toFix(name, trouble, STOP)
  const moved = explainMovedDatabase(config)
  if (moved) return toFix(name, moved, STOP)
  return found.database ? ok(name, found.database) : unknown(name, 'the hub has not left its path')
}
