/** One thing that was changed, or with `--print` would be; `fail` is an attempt that another way made good. */
export type Change = {
  file: string
  action: 'add' | 'replace' | 'remove' | 'restore' | 'backup' | 'record' | 'fail'
  detail: string
}

/** All changes in the order in which they are made; empty when there was nothing to do. */
export type Report = Change[]

/** A piece of work with its description; `run` answers with what went otherwise than described. */
export type Step = { changes: Change[]; run: () => Promise<Change[] | void> }

/** Runs the steps in order, or only describes them: a dry run reports the same list because it is the same list. */
export async function carryOut(steps: Step[], print: boolean): Promise<Report> {
  const report: Report = []
  for (const { changes, run } of steps) {
    report.push(...changes, ...((print ? undefined : await run()) ?? []))
  }
  return report
}
