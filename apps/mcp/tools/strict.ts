import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

/**
 * Makes the tools that are registered from now on refuse a parameter that they do not have. The SDK makes objects of
 * their shapes that drop one in silence: a misspelled `urgency` would be sent as `normal`.
 */
export function refuseUnknownParameters(server: McpServer): void {
  const register = server.registerTool.bind(server)
  server.registerTool = (name, config, run) =>
    register(name, { ...config, inputSchema: toStrict(config.inputSchema) }, run)
}

function toStrict<Input>(input: Input): Input {
  const shape = input as z.ZodRawShape
  const known = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `there is no parameter ${issue.keys.slice(0, 5).map(quote).join(', ')}; there are: ${known}`
        : undefined,
  }) as Input
}

const quote = (name: string) => `"${name.slice(0, 40).replaceAll(/[^\w-]/g, '?')}"`
