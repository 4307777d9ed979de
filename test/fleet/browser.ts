import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'

/** Debian's. */
const CHROMIUM = '/usr/bin/chromium'

/** A name that leads to this computer, as after DNS rebinding. */
export const REBOUND = 'evil.test'

/** A browser of a person, without a window; it knows nothing of the hub. */
export type Browser = AsyncDisposable & {
  /** Opens an empty page of another origin on this computer. */
  openPage(host?: string): Promise<Page>
  /** Opens an empty page of this very origin, whatever listens there; its requests go to what does. */
  openPageOf(origin: string): Promise<Page>
}

/** Starts Chromium with an empty profile; closed, it leaves nothing. */
export async function openBrowser(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'claude-peers-browser-'))
  const attacker = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end(EMPTY)
  }).listen(0, '127.0.0.1')
  await once(attacker, 'listening')
  const { port } = attacker.address() as AddressInfo
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    env: { HOME: profile, PATH: '/usr/bin:/bin' },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP *.test 127.0.0.1',
      // What newer browsers keep from local addresses themselves, older ones and others do not.
      '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,BlockInsecurePrivateNetworkRequests',
    ],
  })
  return {
    async openPage(host = '127.0.0.1') {
      const page = await context.newPage()
      await page.goto(`http://${host}:${port}/`)
      return page
    },
    async openPageOf(origin) {
      const page = await context.newPage()
      await page.route(`${origin}/`, (route) => route.fulfill({ contentType: 'text/html', body: EMPTY }))
      await page.goto(`${origin}/`)
      return page
    },
    async [Symbol.asyncDispose]() {
      await context.close()
      attacker.close()
      attacker.closeAllConnections()
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const EMPTY = '<!doctype html><title>page</title><body></body>'
