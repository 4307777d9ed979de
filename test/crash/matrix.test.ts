import { describe, expect, inject, test } from 'vitest'
import { openOffice, type Office } from './office.ts'
import { report } from './report.ts'
import { HOOK_STEPS, HUB_STEPS, type Step } from './steps.ts'
import { tellMail, type Ending } from './stories.ts'

type Story = (office: Office, rule: string) => Promise<Ending>

/** Tells the story once for each step, and expects that nobody but the killed process lost anything. */
function killAt(killed: string, steps: Step[], story: Story) {
  test.concurrent.for(steps)(`${killed} killed at: $at`, async ({ at, rule }, { expect }) => {
    await using office = await openOffice()
    const { verdict, killedAt, integrity, outcome } = await story(office, rule)
    expect(killedAt, 'the shim killed it there').toBeDefined()
    expect(new Set(integrity)).toEqual(new Set(['ok']))
    expect(verdict).toMatchObject({ lost: [], unmarked: [], disordered: [], doubled: [] })
    const { answered, lost, unmarked } = verdict
    const counts = { answered, lost: lost.length, unmarked: unmarked.length }
    report(inject('crash'), { section: 'step', killed, at, times: 1, ...counts, outcome })
  })
}

describe('no acknowledged message is lost, and none comes twice unmarked,', () => {
  killAt('hub', HUB_STEPS, (office, hub) => tellMail(office, { hub }))
  killAt('hook', HOOK_STEPS, (office, hook) => tellMail(office, { hook }))
})

test('the steps are all there', () => {
  expect(HUB_STEPS.length + HOOK_STEPS.length).toBeGreaterThan(20)
})
