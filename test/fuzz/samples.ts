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
