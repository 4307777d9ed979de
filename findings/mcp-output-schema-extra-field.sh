#!/usr/bin/env bash
# Guess: a server built with the MCP SDK checks `structuredContent` against the tool's output schema, so what passes there
# passes in the SDK's client. And whether a client has listed the tools does not change the result of a call.
#
# Seen with @modelcontextprotocol/sdk 1.32.2 and zod 4.6.7: the two sides check different things. The server parses the
# content with zod, which drops unknown fields and fills in defaults, but sends the content as it was. The schema that it
# publishes is that of the parsed value: `additionalProperties: false`, fields with a default are required. The client checks
# the sent content against that schema. So one extra field, or a default left out, passes the server and makes the client
# throw -32602. The client does so only for tools that it has listed: the same call before `tools/list` succeeds.
#
# What follows for a server: send the parsed value, and let its tests list the tools before they call one.
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

async function call({ outputSchema, structuredContent, lists }) {
  const server = new McpServer({ name: 'server', version: '1.0.0' })
  server.registerTool('tool', { inputSchema: {}, outputSchema }, async () => ({ content: [], structuredContent }))
  const client = new Client({ name: 'client', version: '1.0.0' })
  const [one, other] = InMemoryTransport.createLinkedPair()
  await Promise.all([server.connect(one), client.connect(other)])
  if (lists) await client.listTools()
  return client.callTool({ name: 'tool', arguments: {} }).then(
    (result) => `answered ${JSON.stringify(result.structuredContent)}`,
    (error) => `${error.code}`,
  )
}

const extra = { outputSchema: { n: z.number() }, structuredContent: { n: 1, extra: 2 } }
const unset = { outputSchema: { n: z.number().default(5) }, structuredContent: {} }
const seen = {
  'extra field, tools not listed': await call({ ...extra, lists: false }),
  'extra field, tools listed': await call({ ...extra, lists: true }),
  'default left out, tools not listed': await call({ ...unset, lists: false }),
  'default left out, tools listed': await call({ ...unset, lists: true }),
}
console.log(seen)
assert.deepEqual(Object.values(seen), ['answered {"n":1,"extra":2}', '-32602', 'answered {}', '-32602'])
JS
timeout 60 node main.mjs
echo 'as described'
