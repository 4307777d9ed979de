import { expect, test } from 'vitest'
import { toName, uniqueName } from '../../lib/db/names.ts'

test.for([
  ['/home/me/api', 'api'],
  ['/home/me/api/', 'api'],
  ['C:\\Users\\me\\api', 'api'],
  ['My_Great App!', 'my-great-app'],
  ['Bobs-MacBook.local', 'bobs-macbook-local'],
  ['--odd--', 'odd'],
  ['Café Ünïcode', 'café-ünïcode'],
  ['Cafe\u0301', 'café'],
  ['日本語〇', '日本語〇'],
  ['Мой_Проект', 'мой-проект'],
  ['مُحَرِّر', 'مُحَرِّر'],
  ['น้ำใจ ๒', 'น้ำใจ-๒'],
  ['हिन्दी', 'हिन्दी'],
  ['ΟΔΟΣ', 'οδος'],
  ['𐐀𝟘', '𐐨𝟘'],
  // A joiner, a soft hyphen, a filler, a variation selector and a direction are not to be seen.
  ['a\u200dp\u00ad\u3164i\ufe0f\u202e', 'api'],
  // What looks like a slash is one of the signs between words.
  ['a\u2215b\u2044c\uff0fd\u29f8e', 'a-b-c-d-e'],
  ['a\u0338pi\u20e5', 'api'],
  ['\u0301\u0301api-\u0e31', 'api'],
  ['½①🚀', 'session'],
  ['/', 'session'],
  ['', 'session'],
  [`${'語'.repeat(47)}𐐨𐐨`, `${'語'.repeat(47)}𐐨`],
  [`${'a'.repeat(47)}-tail`, 'a'.repeat(47)],
  ['x'.repeat(200), 'x'.repeat(48)],
] as const)('%s becomes the name %s', ([text, name]) => {
  expect(toName(text)).toBe(name)
})

test('a taken name gets the first free number', () => {
  const taken = new Set(['api', 'api-2', 'api-4'])
  expect(uniqueName('/src/api', (name) => taken.has(name))).toBe('api-3')
})

test('the names of the human and of everybody are never free', () => {
  expect(uniqueName('User', () => false)).toBe('user-2')
  expect(uniqueName('all', () => false)).toBe('all-2')
})

test('the longest name still fits the table with a number', () => {
  const taken = new Set(Array.from({ length: 99_999 }, (_, index) => `${'x'.repeat(48)}-${index + 2}`))
  taken.add('x'.repeat(48))
  expect(uniqueName('x'.repeat(80), (name) => taken.has(name)).length).toBeLessThanOrEqual(64)
})
