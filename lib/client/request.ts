import type { Agent, IncomingMessage, request, RequestOptions } from 'node:http'

/**
 * An answer of the hub, whatever its status; `body` is parsed JSON, or the text when it is none. `retryAfter`, `date`: its
 * headers, the date by the clock of the hub's machine.
 */
export type Answer = {
  status: number
  body: unknown
  retryAfter?: string | undefined
  date?: string | undefined
}

export type JsonRequest = {
  method: 'GET' | 'POST'
  url: string
  headers?: Record<string, string>
  /** Sent as JSON with POST. */
  body?: unknown
  /** The whole exchange must be over by then, in ms. */
  timeoutMs: number
  agent?: Agent
  signal?: AbortSignal | undefined
}

/** A variable cannot have a token sent to a program with any certificate, as NODE_TLS_REJECT_UNAUTHORIZED=0 would. */
export const STRICT = { rejectUnauthorized: true } as const

/**
 * One exchange of JSON over node:http. Not `fetch`: undici doubles the start of a short process. Rejects with the
 * system's error (ECONNREFUSED, …) or an error whose code is ETIMEDOUT.
 */
export function requestJson(options: JsonRequest): Promise<Answer> {
  const payload = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body))
  const settings: RequestOptions = {
    method: options.method,
    // Not the global agent of Node, which goes through a proxy where NODE_USE_ENV_PROXY is set: WebSockets would not.
    agent: options.agent ?? false,
    ...STRICT,
    ...(options.signal && { signal: options.signal }),
    headers: {
      ...options.headers,
      ...(payload && { 'content-type': 'application/json', 'content-length': payload.length }),
    },
  }
  return new Promise((resolve, reject) => {
    const call = starter(options.url)(options.url, settings, (response) => {
      readAll(response).then((text) => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, body: parse(text), retryAfter: headers['retry-after'], date: headers.date })
      }, reject)
    })
    const deadline = setTimeout(() => call.destroy(timeout(options)), options.timeoutMs)
    call.on('error', reject)
    call.on('close', () => clearTimeout(deadline))
    call.end(payload)
  })
}

/** Each costs milliseconds to load, TLS most of all: only what the URL needs, when it is needed. */
function starter(url: string): typeof request {
  return process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http').request
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function timeout({ url, timeoutMs }: JsonRequest): Error {
  return Object.assign(new Error(`no answer from ${new URL(url).host} within ${timeoutMs} ms`), {
    code: 'ETIMEDOUT',
  })
}
