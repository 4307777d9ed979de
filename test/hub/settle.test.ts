import { describe, expect, test } from 'vitest'
import { createSettling } from '../../apps/hub/settle.ts'

describe('a hub that has started', () => {
  test('gives back what it does not need in the first second that it rests', () => {
    const world = { used: 400, collected: 0 }
    const settling = createSettling({ used: () => world.used, collect: () => world.collected++ })
    const second = (busyMs: number) => {
      world.used += busyMs
      return settling.tick()
    }
    expect([second(0), second(300), second(60), world.collected]).toEqual([false, false, false, 0])
    expect([second(3), world.collected]).toEqual([true, 1])
  })

  test('can have it from V8, whose flags are as they were', () => {
    const made = Array.from({ length: 200_000 }, (_, index) => ({ index }))
    expect(made.length).toBe(200_000)
    const settling = createSettling({ used: () => 0 })
    expect([settling.tick(), settling.tick()]).toEqual([false, true])
    expect('gc' in globalThis).toBe(false)
  })
})
