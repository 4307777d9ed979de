import { expect, test } from 'vitest'
import { createSecret, hashKey, matchesKey, toPeerId } from '../../lib/db/keys.ts'

test('a secret matches its own hash and no other', () => {
  const [one, other] = [createSecret(), createSecret()]
  expect(matchesKey(one, hashKey(one))).toBe(true)
  expect(matchesKey(other, hashKey(one))).toBe(false)
  expect(matchesKey('', hashKey(one))).toBe(false)
})

test('a secret has 256 bits and fits into a header', () => {
  expect(createSecret()).toMatch(/^[\w-]{43}$/)
})

test('a peer id is never a name, and two are never equal', () => {
  const ids = Array.from({ length: 1_000 }, toPeerId)
  expect(new Set(ids).size).toBe(1_000)
  for (const id of ids) expect(id).toMatch(/^p_[0-9a-z]{13}$/)
})

test('what is stored of a secret is its SHA-256 in hexadecimal digits', () => {
  expect(hashKey('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
