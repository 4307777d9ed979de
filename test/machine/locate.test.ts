import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig, type Config } from '../../lib/machine/config.ts'
import { locateHub } from '../../lib/machine/hub-process.ts'
import { isAlive } from '../../lib/machine/processes.ts'
import { answerChallenge, createChallenge, readProof } from '../../lib/machine/proof.ts'
import { openHub } from '../harness/hub.ts'
import { waitFor } from '../harness/wait.ts'

let home: string
let config: Config
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'claude-peers-locate-')))
  config = readConfig({ HOME: home, CLAUDE_PEERS_PORT: '0' })
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

/** How many hubs were spawned that could not serve. */
async function attempts(): Promise<number> {
  const log = await readFile(join(home, '.claude-peers/hub.log'), 'utf8')
  return log.split('"hub cannot serve"').length - 1
}

describe('looking for the hub', () => {
  test('is done once for many who ask at once', async () => {
    await using hub = await openHub()
    const locate = locateHub(hub.config)
    const fresh = Array.from({ length: 20 }, () => locate({ fresh: true }))
    expect(new Set(fresh).size).toBe(1)
    expect(await fresh[0]).toMatchObject({ url: hub.url, token: hub.token, pid: process.pid })
    expect(await locate({ fresh: false })).toBe(await fresh[0])
    expect(await locate({ fresh: true })).not.toBe(await fresh[0])
  })

  test('that has failed is not done again at once: a hub that cannot start is not started by every call', async () => {
    await writeFile(config.database, 'no database at all\n'.repeat(200))
    const locate = locateHub(config)
    const words = 'is not a database of claude-peers'
    for (let round = 0; round < 5; round++) {
      await expect(locate({ fresh: true })).rejects.toThrow(words)
      await expect(locate({ fresh: false })).rejects.toThrow(words)
    }
    expect(await attempts()).toBe(1)
    // A while later it may have been mended.
    await rm(config.database)
    await waitFor(
      () =>
        locate({ fresh: true }).then(
          () => true,
          () => false,
        ),
      'another attempt',
    )
    expect(await attempts()).toBe(1)
    const { pid } = await locate({ fresh: true })
    process.kill(pid!, 'SIGTERM')
    await waitFor(() => !isAlive(pid!), 'the hub to be gone')
  })

  test('for a remote hub starts nothing, and is done each time, until it is there', async () => {
    await using hub = await openHub({ env: { CLAUDE_PEERS_TOKEN: 'of-the-fleet' } })
    const env = { HOME: home, CLAUDE_PEERS_BROKER_URL: hub.url, CLAUDE_PEERS_TOKEN: 'of-the-fleet' }
    await hub.stop()
    const later = locateHub(readConfig(env))
    for (const fresh of [true, false]) await expect(later({ fresh })).rejects.toThrow('does not answer')
    await hub.start()
    expect(await later({ fresh: false })).toMatchObject({ url: hub.url, token: 'of-the-fleet' })
    const remote = readConfig({
      HOME: home,
      CLAUDE_PEERS_BROKER_URL: 'http://127.0.0.1:9',
      CLAUDE_PEERS_TOKEN: 'x',
    })
    const locate = locateHub(remote)
    for (let round = 0; round < 3; round++) {
      await expect(locate({ fresh: true })).rejects.toThrow('does not answer. It runs on another machine')
    }
  })
})

describe('the proof of a hub', () => {
  const token = 'a-token-of-this-machine'

  const identity = '{"pid":7,"start":"boot-1"}'

  test('holds for its token, its port, one question, and what the hub says of itself', () => {
    const challenge = createChallenge()
    const answer = answerChallenge(challenge, { token, port: 7899, identity })!
    expect(answer).toEqual({ identity, proof: expect.stringMatching(/^[\w-]{43}$/) })
    expect(readProof(answer, { token, challenge, port: 7899 })).toBe(identity)
    expect(readProof(answer, { token: `${token}x`, challenge, port: 7899 })).toBeUndefined()
    expect(readProof(answer, { token, challenge: createChallenge(), port: 7899 })).toBeUndefined()
    // No program on another port can pass a question on to the real hub.
    expect(readProof(answer, { token, challenge, port: 7900 })).toBeUndefined()
    const forged = { ...answer, identity: identity.replace('7', '8') }
    expect(readProof(forged, { token, challenge, port: 7899 })).toBeUndefined()
  })

  test.each([undefined, null, 1, '', 'x', {}, 'x'.repeat(43)])('is nothing else: %j', (answer) => {
    for (const given of [answer, { identity, proof: answer }, { identity: answer, proof: 'x'.repeat(43) }])
      expect(readProof(given, { token, challenge: createChallenge(), port: 1 })).toBeUndefined()
  })

  test.each([null, '', 'short', 'x'.repeat(65), 'with spaces in it, all over', 'ümlaut-ümlaut-ümlaut'])(
    'is not given for what is no question: %j',
    (challenge) => {
      expect(answerChallenge(challenge, { token, port: 1, identity })).toBeUndefined()
    },
  )
})
