import { describe, expect, test } from 'vitest'
import { chooseClient, isOtherAgent } from '../../apps/mcp/identity.ts'

type Word = [name: string, ...words: string[]]

/** Processes, the nearest ancestor first; the number of each is its place. */
function choose(...chain: Word[]) {
  const ancestors = chain.map(([name], index) => ({
    pid: index + 1,
    parent: index + 2,
    name,
    start: '1',
    ended: false,
  }))
  const readWords = (pid: number) => chain[pid - 1]!.slice(1)
  const client = chooseClient(ancestors, readWords)!
  return [client.name, isOtherAgent(client, readWords)]
}

const CLAUDE: Word = ['claude', 'claude']
const SHELL: Word = ['bash', '/bin/bash', '-c', 'gemini -p hello']
const GEMINI: Word = [
  'MainThread',
  '/usr/bin/node',
  '--max-old-space-size=4096',
  '/usr/bin/gemini',
  '-p',
  'hello',
]
const QWEN: Word = ['node', 'node', '/lib/node_modules/@qwen-code/qwen-code/dist/cli.js']
const NPX: Word = ['npm exec claude-peers', 'npm exec claude-peers mcp']

describe('the client of an MCP server', () => {
  test.each<[string, Word[], unknown[]]>([
    ['its parent', [CLAUDE], ['claude', false]],
    ['Claude Code around npx and a shell', [['sh', 'sh', '-c', 'x'], NPX, CLAUDE], ['claude', false]],
    ['Claude Code around other programs', [['sh', 'sh'], ['timeout', 'timeout'], CLAUDE], ['claude', false]],
    ['Claude Code inside Gemini', [CLAUDE, SHELL, GEMINI], ['claude', false]],
    ['Gemini, not Claude Code around it', [GEMINI, SHELL, CLAUDE], ['MainThread', true]],
    ['Gemini around npx', [['sh', 'sh'], NPX, GEMINI, SHELL, CLAUDE], ['MainThread', true]],
    ['Qwen, not Claude Code around it', [QWEN, SHELL, CLAUDE], ['node', true]],
    ['Codex', [['codex', '/opt/codex'], SHELL, CLAUDE], ['codex', true]],
    ['Copilot', [['copilot', 'copilot'], SHELL, CLAUDE], ['copilot', true]],
    ['opencode', [['opencode', 'opencode'], SHELL, CLAUDE], ['opencode', true]],
    ['a program that nobody knows', [['agentx', 'agentx'], SHELL, CLAUDE], ['agentx', false]],
    ['a shell without an agent', [SHELL], ['bash', false]],
  ])('is %s', (_, chain, client) => {
    expect(choose(...chain)).toEqual(client)
  })

  test('is not told by the name of a directory', () => {
    const wrapper: Word = ['node', 'node', '/src/gemini/node_modules/.bin/wrap', '/src/qwen']
    expect(choose(wrapper, CLAUDE)).toEqual(['claude', false])
  })
})
