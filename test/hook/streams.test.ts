/**
 * The two ways in which the hook speaks and listens: through the handles of the Node that built it, and through node:net
 * in any other, which a preload plays here.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bundlePath } from '../../lib/machine/package.ts'
import { blockPort } from '../harness/blocker.ts'
import { createRig, DEADLINE_MS, type Rig, WAIT_MS } from './rig.ts'

const NOTHING = { code: 0, stdout: '', stderr: '' }
const preload = (code: string) => ['--import', `data:text/javascript,${code}`]
const OTHER_NODE = preload(`Object.defineProperty(process,'version',{value:'v22.14.0'})`)
const NO_HANDLES = preload(`process.binding=()=>{throw new Error('no')}`)

let rig: Rig
beforeAll(async () => {
  rig = await createRig()
})
afterAll(() => rig[Symbol.asyncDispose]())
// What a test before said may be said again.
beforeEach(() => void (rig.time.now += 60_000))

describe.each([
  ['in the Node that built it', []],
  ['in another Node', OTHER_NODE],
  ['where the handles are forbidden', NO_HANDLES],
])('the hook %s', (_, nodeArgs) => {
  test('gives mail and acknowledges it', async () => {
    const id = await rig.send('hello')
    expect((await rig.hook('PostToolUse', { nodeArgs })).context).toContain('hello')
    expect(await rig.stateOf(id)).toBe('delivered')
  })

  test('reads an input that is larger than a pipe, and letters that were cut in two', async () => {
    await rig.send('after the large one')
    const input = { tool_response: 'ünïcödé €𝒳 '.repeat(50_000) }
    expect((await rig.hook('PostToolUse', { nodeArgs, input })).context).toContain('after the large one')
  })

  test('takes an answer in pieces', async () => {
    const offer = { offerId: 'o1', messages: [], remaining: 0 }
    const body = Buffer.from(JSON.stringify({ result: { data: offer } }))
    const asked: string[] = []
    const server = createServer((socket) => {
      socket.setNoDelay().on('error', () => undefined)
      socket.on('data', (chunk) => {
        asked.push(String(/trpc\/\S+/.exec(chunk.toString())))
        const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body.toString()}`
        for (const byte of answer) socket.write(byte)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const card = rig.card()
    rig.changeCard({ hubUrl: `http://127.0.0.1:${(server.address() as { port: number }).port}` })
    await rig.hook('PostToolUse', { nodeArgs })
    rig.changeCard(card)
    await new Promise((resolve) => server.close(resolve))
    expect(asked).toEqual(['trpc/mailbox.consume', 'trpc/mailbox.ack'])
  })

  test('ends at its deadline when its input never does, and when the hub never answers', async () => {
    await using silent = await blockPort()
    const card = rig.card()
    const open = await rig.hook('PostToolUse', { nodeArgs, open: true, stdin: '{"hook_event_name":' })
    rig.changeCard({ hubUrl: `http://127.0.0.1:${silent.port}` })
    const unanswered = await rig.hook('PostToolUse', { nodeArgs })
    rig.changeCard(card)
    for (const run of [open, unanswered]) {
      expect(run).toMatchObject(NOTHING)
      expect(run.ms).toBeLessThan(DEADLINE_MS)
    }
  })

  test.each(['http://127.0.0.1:1', 'http://127.0.0.1:99999', 'http://127.999.0.1:80', 'http://127.1:1'])(
    'ends at once when there is no hub at %s',
    async (hubUrl) => {
      const card = rig.card()
      rig.changeCard({ hubUrl })
      const run = await rig.hook('UserPromptSubmit', { nodeArgs })
      rig.changeCard(card)
      expect(run).toMatchObject(NOTHING)
      expect(run.ms).toBeLessThan(WAIT_MS)
    },
  )

  test('reads its input also from a file and from nowhere', async () => {
    await rig.send('by file')
    const file = join(rig.home, 'input.json')
    writeFileSync(file, JSON.stringify({ hook_event_name: 'PostToolUse', session_id: rig.sessionId }))
    expect(await runShell('exec "$@" < /dev/null', nodeArgs)).toBe('')
    expect(await runShell(`exec "$@" < '${file}'`, nodeArgs)).toContain('by file')
    await rig.send('by pipe')
    expect(await runShell(`cat '${file}' | "$@"`, nodeArgs)).toContain('by pipe')
  })
})

describe('what V8 made of the program', () => {
  const copy = async (name: string) => {
    const dist = join(rig.home, name)
    const from = dirname(bundlePath('hook.cjs'))
    await cp(from, dist, { recursive: true, filter: (path) => path === from || /\/hook[^/]*$/.test(path) })
    const cache = join(
      dist,
      readdirSync(dist).find((file) => file.endsWith('.cache'))!,
    )
    return { dist, cache }
  }
  const hook = (dist: string) => {
    const event = JSON.stringify({ hook_event_name: 'PostToolUse', session_id: rig.sessionId })
    return runShell(`printf %s '${event}' | "$1" '${dist}/hook.cjs' '${process.pid}'`)
  }

  test('is not needed', async () => {
    const { dist, cache } = await copy('without')
    rmSync(cache)
    await rig.send('compiled here')
    expect(await hook(dist)).toContain('compiled here')
  })

  test('is not believed where a disk has spoilt it', async () => {
    const { dist, cache } = await copy('spoilt')
    const bytes = readFileSync(cache)
    for (let at = 64; at < bytes.length / 2; at += 7) bytes[at]! ^= 1
    writeFileSync(cache, bytes)
    await rig.send('compiled anew')
    expect(await hook(dist)).toContain('compiled anew')
  })

  test('costs nothing where its program is missing, as while it is built', async () => {
    const { dist, cache } = await copy('missing')
    rmSync(cache.replace('.cache', ''))
    expect(await hook(dist)).toBe('')
  })
})

/** What a shell prints that runs the hook as `"$@"`; it must end well. */
function runShell(script: string, nodeArgs: string[] = []): Promise<string> {
  const words = [process.execPath, ...nodeArgs, bundlePath('hook.cjs'), String(process.pid)]
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...words], {
    env: { HOME: rig.home, PATH: process.env['PATH'], CLAUDE_CODE_SESSION_ID: rig.sessionId },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`it ended with ${code}`))))
  })
}
