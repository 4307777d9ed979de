import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backUpDatabase } from '../../lib/db/backup.ts'
import { restoreDatabase } from '../../lib/db/restore.ts'
import { DESKTOP, FOLDER, HOUR, LAPTOP, makeDirectory, openFileWorld, START, type World } from './harness.ts'

const PHONE = { id: 'machine-phone', host: 'phone' }

function invite(world: World, label: string): string {
  return world.commit(() => world.database.machineTokens.create(label))!.text
}

const idOf = (text: string) => text.split('.')[0]!

function bind(world: World, text: string, machine: { id: string; host: string }) {
  world.commit(() => world.database.machines.note(machine))
  expect(world.commit(() => world.database.machineTokens.bind(idOf(text), machine.id))).toBe(true)
}

/** What is done before a backup, and after it; returns what `restore` says and the tokens that are live then. */
async function restoreOver(before: (world: World) => void, after: (world: World) => void) {
  using directory = makeDirectory()
  const { file } = directory
  const from = join(directory.path, 'backup.db')
  {
    using world = openFileWorld(file)
    before(world)
    await backUpDatabase({ file, target: from, folder: FOLDER, now: START })
    after(world)
  }

  const restored = restoreDatabase({ file, from, folder: FOLDER, machineId: LAPTOP.id, now: START + HOUR })
  using world = openFileWorld(file, { now: START + HOUR })
  const { machineTokens } = world.database
  const live = machineTokens.list().filter(({ id }) => machineTokens.live(id))
  return { restored, live: live.map(({ label, machineId }) => ({ label, machineId })) }
}

describe('the tokens of machines after a restore', () => {
  test('one that was revoked after the backup stays revoked', async () => {
    const { live, restored } = await restoreOver(
      (world) => bind(world, invite(world, 'desktop'), DESKTOP),
      (world) => world.commit(() => world.database.machineTokens.revoke('desktop')),
    )
    expect(live).toEqual([])
    expect(restored.unchecked).toEqual([])
  })

  test('one that was made after the backup stays valid, also under the label of one that was revoked', async () => {
    const { live, restored } = await restoreOver(
      (world) => bind(world, invite(world, 'desktop'), DESKTOP),
      (world) => {
        world.commit(() => world.database.machineTokens.revoke('desktop'))
        bind(world, invite(world, 'desktop'), DESKTOP)
        bind(world, invite(world, 'phone'), PHONE)
      },
    )
    expect(live.toSorted((one, other) => one.label.localeCompare(other.label))).toEqual([
      { label: 'desktop', machineId: DESKTOP.id },
      { label: 'phone', machineId: PHONE.id },
    ])
    expect(restored.unchecked).toEqual([])
  })

  test('an invitation that was used after the backup is that of its machine', async () => {
    let text = ''
    const { live } = await restoreOver(
      (world) => void (text = invite(world, 'phone')),
      (world) => bind(world, text, PHONE),
    )
    expect(live).toEqual([{ label: 'phone', machineId: PHONE.id }])
  })

  test('those that only the backup knows are named, unless one of now has their label or machine', async () => {
    using directory = makeDirectory()
    const [from, file] = [join(directory.path, 'backup.db'), directory.file]
    {
      using other = openFileWorld(join(directory.path, 'other.db'))
      bind(other, invite(other, 'desktop'), DESKTOP)
      bind(other, invite(other, 'phone'), PHONE)
      const options = { file: join(directory.path, 'other.db'), target: from, folder: FOLDER, now: START }
      await backUpDatabase(options)
    }
    {
      using world = openFileWorld(file)
      bind(world, invite(world, 'desktop'), { id: 'machine-other', host: 'other' })
    }
    const restored = restoreDatabase({ file, from, folder: FOLDER, machineId: LAPTOP.id, now: START })
    expect(restored.unchecked).toEqual(['phone'])
    using world = openFileWorld(file)
    const { machineTokens } = world.database
    expect(machineTokens.ofMachine('machine-other')).toMatchObject({ label: 'desktop' })
    expect(machineTokens.ofMachine(DESKTOP.id)).toBeUndefined()
  })

  test('where there is nothing newer to look at they are those of the backup, by name', async () => {
    using directory = makeDirectory()
    const from = join(directory.path, 'backup.db')
    {
      using world = openFileWorld(directory.file)
      bind(world, invite(world, 'desktop'), DESKTOP)
      await backUpDatabase({ file: directory.file, target: from, folder: FOLDER, now: START })
    }
    const file = join(directory.path, 'standby/peers.db')
    const restored = restoreDatabase({ file, from, folder: FOLDER, machineId: 'machine-standby', now: START })
    expect(restored.unchecked).toEqual(['desktop'])
  })
})
