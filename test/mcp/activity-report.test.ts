import { expect, test } from 'vitest'
import { createActivityReport } from '../../apps/mcp/activity-report.ts'
import type { Activity } from '../../lib/router/shapes/peers.ts'

const IDLE: Activity = { activity: 'idle', wakeable: false, headless: false }
const BUSY: Activity = { ...IDLE, activity: 'busy' }

/** A report whose calls the test answers one by one. */
function openReport() {
  const calls: { told: Activity; answer: PromiseWithResolvers<void> }[] = []
  const report = createActivityReport((told) => {
    const answer = Promise.withResolvers<void>()
    calls.push({ told, answer })
    return answer.promise
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  return {
    ...report,
    told: () => calls.map(({ told }) => told),
    async settle(failure?: Error) {
      const { answer } = calls.at(-1)!
      if (failure) answer.reject(failure)
      else answer.resolve()
      await turn()
    },
  }
}

test('tells one thing at a time, and then only the newest', async () => {
  const { report, told, settle } = openReport()
  report(BUSY)
  report(IDLE)
  report({ ...IDLE, wakeable: true })
  expect(told()).toEqual([BUSY])
  await settle()
  expect(told()).toEqual([BUSY, { ...IDLE, wakeable: true }])
  await settle()
  expect(told()).toHaveLength(2)
})

test('tells the same again to a hub that has to be told, also while a call is under way', async () => {
  const { report, renew, told, settle } = openReport()
  renew()
  expect(told()).toEqual([])
  report(BUSY)
  renew()
  await settle()
  expect(told()).toEqual([BUSY, BUSY])
  await settle()
  renew()
  expect(told()).toEqual([BUSY, BUSY, BUSY])
})

test('a call that fails throws nowhere, and the next one tells what is true then', async () => {
  const { report, renew, told, settle } = openReport()
  report(BUSY)
  await settle(new Error('no hub'))
  expect(told()).toEqual([BUSY])
  renew()
  report(IDLE)
  await settle(new Error('no hub yet'))
  expect(told()).toEqual([BUSY, BUSY, IDLE])
})
