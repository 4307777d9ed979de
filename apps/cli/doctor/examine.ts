import { checkClient } from './client.ts'
import { checkHooks, checkPlaces, checkPredecessor } from './hooks.ts'
import { checkHub } from './hub.ts'
import type { Line } from './line.ts'
import { checkInstallation, checkMachineId, checkModes, checkSessions, checkSettings } from './machine.ts'
import { checkDisabled, checkDuplicates } from './plugin.ts'
import { checkRoom } from './room.ts'
import type { Scene } from './scene.ts'
import { checkWaiters } from './waiters.ts'
import { checkOtherServers, checkServer } from './server.ts'

type Check = (scene: Scene) => Line | Line[] | Promise<Line | Line[]>

/** All that is looked at, in the order in which it is told. */
const CHECKS: Check[] = [
  checkInstallation,
  checkSettings,
  checkRoom,
  checkModes,
  checkMachineId,
  checkHub,
  checkClient,
  checkServer,
  checkOtherServers,
  checkHooks,
  checkPredecessor,
  checkDuplicates,
  checkDisabled,
  checkPlaces,
  checkSessions,
  checkWaiters,
]

/** Runs every check; none of them changes or starts anything. */
export async function examine(scene: Scene): Promise<Line[]> {
  const lines: Line[] = []
  for (const check of CHECKS) lines.push(...[await check(scene)].flat())
  return lines
}
