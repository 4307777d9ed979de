import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'

type Listed = { tools: { name: string; outputSchema?: Record<string, unknown> }[] }

const provider = new AjvJsonSchemaValidator()
let schemas: Map<string, Record<string, unknown> | undefined> | undefined

/**
 * Throws when the data of an answer does not fit the output schema that the tool lists. The SDK's server parses the data, which
 * drops unknown fields, and sends it as it was; its client refuses what does not fit, once it has listed the tools (1.32.2). A server that is killed right behind its answer
 * lists nothing, and its answer counts.
 */
export async function checkAnswer(list: () => Promise<Listed>, name: string, data: unknown): Promise<void> {
  schemas ??= await list().then(toSchemas, unlessEnded)
  if (!schemas) return
  const schema = schemas.get(name)
  if (!schema) throw new Error(`${name} lists no output schema`)
  const { valid, errorMessage } = provider.getValidator(schema)(data)
  if (!valid) throw new Error(`the answer of ${name} does not fit its output schema: ${errorMessage}`)
}

const toSchemas = ({ tools }: Listed) => new Map(tools.map((tool) => [tool.name, tool.outputSchema]))

function unlessEnded(cause: Error): undefined {
  if (!cause.message.includes('the MCP server ended')) throw cause
}
