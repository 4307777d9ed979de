/** The shape of what our programs leave for each other, to be spoilt. */
const process = { pid: 1, start: 'a-1' }

export const card = {
  hubUrl: 'http://127.0.0.1:9',
  token: 'a-token',
  hub: process,
  peerId: 'p_1',
  name: 'api',
  key: 'p_1.secret',
  toolPrefix: 'mcp__claude-peers__',
  claude: process,
  mcp: process,
  sessionIds: ['a-session'],
  transcript: '/transcript.jsonl',
}

export const entry = {
  hub: 'http://100.64.0.1:7899',
  sender: {
    peerId: 'p_1',
    key: 'p_1.secret',
    registration: {
      machine: { id: 'machine-of-tests', host: 'laptop' },
      kind: 'session' as const,
      directory: '/src/api',
      root: '/src/api',
      isRepo: true,
      summary: 'works',
    },
  },
  input: {
    to: 'web',
    message: 'hello',
    urgency: 'normal' as const,
    idempotencyKey: 'a-key-of-tests',
  },
  at: 1,
  by: process,
}
