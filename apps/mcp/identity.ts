import {
  ownAncestors,
  ownNamespace,
  readProcess,
  type Process,
  type ProcessIdentity,
} from '#machine/processes'

/** The Claude process that this MCP server belongs to. */
export type ClaudeProcess = ProcessIdentity

/**
 * Finds it: the parent, when the server is registered as a direct command; else, behind wrappers such as npx or a
 * shell, the nearest ancestor that is called claude. Hooks have the same process as their parent.
 */
export function findClaude(): ClaudeProcess {
  const ancestors = [...ownAncestors()]
  const parent = ancestors[0] ?? readProcess(process.ppid)
  const claude = isWrapper(parent)
    ? (ancestors.find((one) => one.name.startsWith('claude')) ?? parent)
    : parent
  return { pid: claude?.pid ?? process.ppid, start: claude?.start, namespace: ownNamespace() }
}

const isWrapper = (one: Process | undefined) =>
  one !== undefined && /^(sh|bash|dash|zsh|fish|npm|npx|node|MainThread|env)\b/.test(one.name)
