/**
 * What our programs do not take from the environment that a session inherits, so that it changes neither who the session
 * is nor whether mail reaches it. Each program, and what it obeys: docs/environment.md.
 */

/**
 * Variables by which Node runs another program first, waits for a debugger, ends, or writes files of its own. They are
 * meant for a program that the person develops, and a client hands them on to all that it starts (seen: 2.1.197, 2.1.332).
 */
export const NODE_VARIABLES = ['NODE_OPTIONS', 'NODE_CHANNEL_FD', 'NODE_V8_COVERAGE', 'NODE_DEBUG'] as const

/** An environment without them. */
export const withoutNodeVariables = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  without(env, (name) => (NODE_VARIABLES as readonly string[]).includes(name))

/**
 * An environment in which git finds the repository of a directory by the directory alone: `GIT_DIR` and its like, as in
 * a git hook, name another one, and `GIT_CEILING_DIRECTORIES`, `GIT_CONFIG_…` and the rest change what is found.
 */
export const withoutGitVariables = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  without(env, (name) => name.startsWith('GIT_'))

const without = (env: NodeJS.ProcessEnv, isOut: (name: string) => boolean): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !isOut(name.toUpperCase())))
