import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { CallToolResult, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { describeNews } from '#frame/kept-text'
import type { ServerOptions } from '../server.ts'

/**
 * Makes the tools that are registered from now on tell with their next answer what has become of messages that were
 * kept on this computer: which the hub has now, and which it refuses. It is told again until an answer has left.
 */
export function addNews(server: McpServer, { outbox, afterAnswer }: ServerOptions): void {
  const register = server.registerTool.bind(server)
  server.registerTool = (name, { outputSchema, ...config }, run) =>
    register(
      name,
      { ...config, outputSchema: { ...(outputSchema as z.ZodRawShape), news: z.string().optional() } },
      (async (args: never, extra: { requestId: RequestId }) => {
        const result = await (run as (args: never, extra: object) => Promise<CallToolResult>)(args, extra)
        const news = await outbox.news().catch(() => undefined)
        const lines = news ? describeNews(news, Date.now()) : []
        if (!news || lines.length === 0) return result
        afterAnswer(extra.requestId, news.told)
        return withNews(result, lines.join('\n'))
      }) as never,
    )
}

function withNews(result: CallToolResult, news: string): CallToolResult {
  const { structuredContent } = result
  return {
    ...result,
    content: [...result.content, { type: 'text', text: news }],
    ...(structuredContent && { structuredContent: { ...structuredContent, news } }),
  }
}
