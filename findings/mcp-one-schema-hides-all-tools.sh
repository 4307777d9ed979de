#!/usr/bin/env bash
# Guess: a tool whose zod schema has no JSON Schema form (a Date, a transform of the output) is refused when it is registered,
# or at worst is listed without that schema. The other tools of the server are not affected.
#
# Seen with @modelcontextprotocol/sdk 1.32.2 and zod 4.6.7: `registerTool` accepts it, and calls of it work. Only `tools/list`
# converts the schemas, for all tools in one step, and it fails as a whole with -32603: the client sees a server with no tools
# at all. In an input schema a transform does no harm, because the input side of it is listed; a Date fails there as well.
#
# What follows for a server: a test must call `tools/list`, and a new tool can break every old one.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent @modelcontextprotocol/sdk@1.32.2 zod@4.6.7
cat >main.mjs <<'JS'
import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

async function withTool(config, structuredContent) {
  const server = new McpServer({ name: 'server', version: '1.0.0' })
  const content = [{ type: 'text', text: 'fine' }]
  server.registerTool('plain', { inputSchema: {} }, async () => ({ content }))
  server.registerTool('added', config, async () => ({ content, structuredContent }))
  const client = new Client({ name: 'client', version: '1.0.0' })
  const [one, other] = InMemoryTransport.createLinkedPair()
  await Promise.all([server.connect(one), client.connect(other)])
  const listed = await client.listTools().then(
    ({ tools }) => `lists ${tools.map(({ name }) => name).join(' and ')}`,
    (error) => `${error.code}`,
  )
  const called = await client.callTool({ name: 'added', arguments: { at: '2026-01-01' } })
  return `${listed}; a call of it ${called.isError ? 'fails' : 'works'}`
}

const length = z.string().transform((text) => text.length)
const seen = {
  'a Date in the output': await withTool({ outputSchema: { at: z.coerce.date() } }, { at: new Date() }),
  'a transform in the output': await withTool({ outputSchema: { at: length } }, { at: 'now' }),
  'a transform in the input': await withTool({ inputSchema: { at: length } }),
  'a Date in the input': await withTool({ inputSchema: { at: z.coerce.date() } }),
}
console.log(seen)
assert.deepEqual(Object.values(seen), [
  '-32603; a call of it works',
  '-32603; a call of it works',
  'lists plain and added; a call of it works',
  '-32603; a call of it works',
])
JS
timeout 60 node main.mjs
echo 'as described'
