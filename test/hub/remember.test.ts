import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { remember } from '../../apps/hub/remember.ts'

function watch() {
  const made: string[] = []
  const read = remember((text) => {
    made.push(text)
    return text === 'none' ? undefined : text.toUpperCase()
  })
  return { made, read }
}

test('what is made of a text is made once, also when that is nothing', () => {
  const { made, read } = watch()
  for (const text of ['a', 'none', 'a', 'none', undefined, '']) read(text)
  expect([read('a'), read('none')]).toEqual(['A', undefined])
  expect(made).toEqual(['a', 'none', ''])
})

test('neither many texts nor long ones fill the memory', () => {
  const { made, read } = watch()
  for (let index = 0; index < 1_001; index++) read(`text ${index}`)
  expect(made).toHaveLength(1_001)
  read('text 0')
  expect(made).toHaveLength(1_002)
  read('text 0')
  expect(made).toHaveLength(1_002)
  const long = 'x'.repeat(261)
  expect([read(long), read(long)]).toEqual([long.toUpperCase(), long.toUpperCase()])
  expect(made).toHaveLength(1_004)
})

test('a text that was cut out of a long one does not keep that', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const read = remember((text) => text.length)
  const heap = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = heap()
  for (let index = 0; index < 500; index++) {
    const url = Buffer.alloc(16_000, `/the/path/of/number/${index}/`).toString('latin1')
    read(url.slice(0, 100))
  }
  expect(heap() - before).toBeLessThan(2_000_000)
})
