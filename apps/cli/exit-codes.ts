/** The exit codes of the command line; `--help` lists them. */
export const EXIT = { failed: 1, usage: 2, noHub: 3 } as const
