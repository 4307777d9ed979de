import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createHome } from '../harness/home.ts'
import { runHub } from '../harness/hub.ts'
import { startFrom } from '../harness/starter.ts'

describe.concurrent('a program on the hub’s port that is not the hub', () => {
  /** Says that it is a hub, and keeps what it is sent. */
  async function openImpostor(version: string) {
    const heard: string[] = []
    const server = createServer((request, response) => {
      heard.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ status: 'ok', name: 'claude-peers', version, proof: 'x'.repeat(43) }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return { port, url: `http://127.0.0.1:${port}`, heard, [Symbol.dispose]: () => void server.close() }
  }

  test.each(['0.1.0', '99.0.0'])('gets no token, whatever version it says (%s)', async (version) => {
    await using home = await createHome()
    await runHub(home).then((hub) => hub[Symbol.asyncDispose]())
    const token = await home.token()
    using impostor = await openImpostor(version)
    const { error } = await startFrom(home, { env: { CLAUDE_PEERS_PORT: String(impostor.port) } })
    expect(error).toContain(`The hub cannot listen at 127.0.0.1:${impostor.port}`)
    expect(impostor.heard.length).toBeGreaterThan(0)
    expect(impostor.heard.join()).not.toContain(token)
    expect(impostor.heard.join()).not.toContain('hub.stop')
  })

  test('is not taken for the hub when a rendezvous that was left leads there', async () => {
    await using home = await createHome()
    await runHub(home).then((hub) => hub[Symbol.asyncDispose]())
    using impostor = await openImpostor('3.0.0')
    const left = { url: impostor.url, tokenPath: '/x', pid: 2 ** 22 + 1, version: '3.0.0', database: '/x' }
    await writeFile(join(home.path, '.claude-peers/hub.json'), JSON.stringify(left))
    const { url } = await startFrom(home)
    expect(url).not.toBe(impostor.url)
    expect(impostor.heard.join()).not.toContain(await home.token())
  })
})
