import { join } from 'node:path'
import { afterAll, beforeAll, describe, inject, test } from 'vitest'
import { installVersion, type Installation } from '../harness/installation.ts'
import { tellEnded, type EndedRule } from './ended-story.ts'
import { openOffice, type Office } from './office.ts'
import { report } from './report.ts'
import { tellSession } from './session-story.ts'
import {
  CLAIM_STEPS,
  HOOK_STEPS,
  HUB_STEPS,
  MCP_STEPS,
  MIGRATION_STEPS,
  RELEASE_STEPS,
  SETTLE_STEPS,
  SPOOL_HUB_STEPS,
  SPOOL_MCP_STEPS,
  WAITER_STEPS,
} from './steps.ts'
import { tellSpool } from './spool-story.ts'
import { tellMail, type Ending } from './stories.ts'
import { tellHandOver, tellMigration } from './succession.ts'
import { tellWaiter } from './waiter-story.ts'

type Story<Rule> = (office: Office, rule: Rule) => Promise<Ending>

const SETTLERS = ['its server', 'the process that its server left', 'the next server'] as const

/** Tells the story once for each step, and expects that nobody but the killed process lost anything. */
function killAt<Rule extends string | EndedRule | undefined>(
  killed: string,
  steps: { at: string; rule: Rule }[],
  story: Story<Rule>,
) {
  test.concurrent.for(steps)(`${killed} killed at: $at`, async ({ at, rule }, { expect }) => {
    await using office = await openOffice()
    const { verdict, killedAt, integrity, outcome } = await story(office, rule)
    expect(killedAt, 'the shim killed it there').toBeDefined()
    expect(new Set(integrity)).toEqual(new Set(['ok']))
    expect(verdict).toMatchObject({ lost: [], unmarked: [], disordered: [], doubled: [] })
    const { answered, lost, unmarked } = verdict
    const counts = { answered, lost: lost.length, unmarked: unmarked.length }
    report(inject('crash'), {
      section: 'step',
      killed,
      at,
      order: steps.findIndex((step) => step.at === at),
      times: 1,
      ...counts,
      outcome,
    })
  })
}

let older: Installation
beforeAll(async () => void (older = await installVersion('2.99.0')))
afterAll(() => older[Symbol.asyncDispose]())

describe('no acknowledged message is lost, and none comes twice unmarked,', () => {
  killAt('hub', HUB_STEPS, (office, hub) => tellMail(office, { hub }))
  killAt('hook', HOOK_STEPS, (office, hook) => tellMail(office, { hook }))
  killAt('MCP server', MCP_STEPS, tellSession)
  killAt('MCP server', [{ at: 'while it waits', rule: undefined }], tellSession)
  killAt('cut-off MCP server', SPOOL_MCP_STEPS, (office, mcp) => tellSpool(office, { mcp }))
  killAt('hub that is back', SPOOL_HUB_STEPS, (office, hub) => tellSpool(office, { hub }))
  killAt('waiter', WAITER_STEPS, tellWaiter)
  killAt('waiter', [{ at: 'while it waits', rule: undefined }], tellWaiter)
  for (const settler of SETTLERS) {
    const lives = { at: 'it lives', rule: undefined }
    const steps = [lives, ...SETTLE_STEPS].map(({ at, rule }) => ({ at, rule: { settler, rule } }))
    killAt(`client between acknowledgement and request, then ${settler}`, steps, tellEnded)
  }
  killAt('migration', MIGRATION_STEPS, tellMigration)
  const olderScript = () => join(older.root, 'dist/hub.js')
  killAt('hand-over', RELEASE_STEPS, (office, rule) =>
    tellHandOver(office, { olderScript: olderScript(), older: rule }),
  )
  killAt('hand-over', CLAIM_STEPS, (office, rule) =>
    tellHandOver(office, { olderScript: olderScript(), newer: rule }),
  )
})
