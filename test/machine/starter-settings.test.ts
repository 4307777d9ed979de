import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connect } from '../../lib/client/connect.ts'
import { readConfig } from '../../lib/machine/config.ts'
import { ensureHub } from '../../lib/machine/hub-process.ts'
import { createHome } from '../harness/home.ts'

test('a hub has the settings of now, also where a session of before they were changed starts it', async () => {
  await using home = await createHome()
  const { CLAUDE_PEERS_HOST: _, ...env } = home.env
  const before = readConfig(env, home.path)
  await writeFile(join(home.path, '.claude-peers.json'), '{"host": "renamed"}')
  const client = connect({ endpoint: await ensureHub(before) })
  const machine = { id: 'machine-of-tests', host: 'other' }
  const { hub } = await client.hub.machines.join.mutate({ machine })
  await client.close()
  expect([before.host === 'renamed', hub.host]).toEqual([false, 'renamed'])
})
