import { expect, test } from 'vitest'
import { readTarget } from '../../apps/hub/target.ts'

const read = (url: string, host = 'localhost:7899') => readTarget({ url, headers: { host } } as never)

test('a call is what stands below the mount, in plain letters, with the input beside it', () => {
  expect(read('/trpc/mailbox.consume')).toMatchObject({
    pathname: '/trpc/mailbox.consume',
    path: 'mailbox.consume',
    procedures: 'mailbox.consume',
    cost: 1,
  })
  const encoded = read('/trpc/hub%2Ehealth?input=%7B%22a%22%3A%22+%26%20%C3%A9%22%7D')
  expect(encoded).toMatchObject({ path: 'hub%2Ehealth', procedures: 'hub.health' })
  expect(encoded?.query.get('input')).toBe('{"a":" & é"}')
})

test('a path is read as a URL is, each time it comes', () => {
  for (let time = 0; time < 2; time++) {
    expect(read('/trpc/../health')).toMatchObject({ pathname: '/health', path: undefined })
    expect(read('/trpc/%2e%2e/x?y')).toMatchObject({ pathname: '/x', path: undefined })
    expect(read('\\trpc\\a')).toBeUndefined()
    expect(read('/trpc\\a')).toMatchObject({ path: 'a' })
    expect(read('/trpc/broken%')).toMatchObject({ path: 'broken%', procedures: 'broken%' })
  }
})

test('one path has the query of its own request', () => {
  const queries = ['?input=1', '', '?batch=1&input=2'].map((query) => read(`/trpc/hub.health${query}`)!.query)
  expect(queries.map((query) => query.get('input'))).toEqual(['1', null, '2'])
})

test('what stands behind a # is no part of it', () => {
  expect(read('/trpc/hub.health#?input=1')).toMatchObject({ path: 'hub.health' })
  expect(read('/trpc/hub.health?input=1#&input=2&batch=1')?.query.getAll('input')).toEqual(['1'])
})

test('the calls of a batch are counted each, as many as a batch may hold', () => {
  expect(read('/trpc/a,b%2Cc?batch=1')).toMatchObject({ cost: 3 })
  expect(read('/trpc/a,b,c')).toMatchObject({ cost: 1 })
  expect(read('/trpc/a,b,c?batch=2')).toMatchObject({ cost: 1 })
  expect(read(`/trpc/${'a,'.repeat(1_000)}?batch=1`)).toMatchObject({ cost: 256 })
})

test('a whole URL is of the Host, or it names nothing here', () => {
  const url = 'http://LocalHost:7899/trpc/hub.stats?batch=1'
  expect(read(url)).toMatchObject({ path: 'hub.stats', cost: 1 })
  expect(read(url, 'studio:7899')).toBeUndefined()
  expect(read('*')).toBeUndefined()
  expect(readTarget({ url: '*', headers: {} } as never)).toBeUndefined()
})
