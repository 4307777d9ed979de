import {
  ownAncestors,
  ownNamespace,
  readProcess,
  readWords,
  type Process,
  type ProcessIdentity,
} from '#machine/processes'

/** The process of the client that this MCP server belongs to; `isOther`: it is known to be another agent's. */
export type ClaudeProcess = ProcessIdentity

/**
 * Finds it: the parent, when the server is registered as a direct command; else, behind wrappers such as npx or a
 * shell, the nearest ancestor that is none. Hooks have the same process as their parent. Claude Code around another
 * agent is not taken for the client of that one: it would be two sessions with one seat.
 */
export function findClient(): ClaudeProcess & { isOther: boolean } {
  const ancestors = [...ownAncestors()]
  const client = chooseClient(ancestors, readWords) ?? readProcess(process.ppid)
  const isOther = client !== undefined && isOtherAgent(client, readWords)
  return { pid: client?.pid ?? process.ppid, start: client?.start, namespace: ownNamespace(), isOther }
}

/** The client among the ancestors of its MCP server, nearest first; `readWords` gives the words that started one. */
export function chooseClient(
  ancestors: Process[],
  readWords: (pid: number) => string[],
): Process | undefined {
  const [parent] = ancestors
  const isClient = (one: Process) => isOtherAgent(one, readWords) || one.name.startsWith('claude')
  return parent && isWrapper(parent) ? (ancestors.find(isClient) ?? parent) : parent
}

/** Whether a process is a client of one of the agents that start MCP servers and run hooks as Claude Code does. */
export function isOtherAgent({ pid, name }: Process, readWords: (pid: number) => string[]): boolean {
  if (OTHER_NAME.test(name)) return true
  if (!/^(node|MainThread)\b/.test(name)) return false
  const script = readWords(pid)
    .slice(1)
    .find((word) => !word.startsWith('-'))
  return script !== undefined && OTHER_SCRIPT.test(script)
}

const isWrapper = ({ name }: Process) => /^(sh|bash|dash|zsh|fish|npm|npx|node|MainThread|env)\b/.test(name)

const OTHER_NAME = /^(codex|copilot|gemini|opencode|qwen)/
/** Gemini and Qwen are Node programs: by their packages, or by the names of their commands. */
const OTHER_SCRIPT =
  /@google[/\\]gemini-cli[/\\]|@qwen-code[/\\]qwen-code[/\\]|@openai[/\\]codex[/\\]|@github[/\\]copilot[/\\]|[/\\](codex|copilot|gemini|opencode|qwen)(\.\w+)?$/
