import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, toHex, ZERO32 } from '../../../src/core/codec/ssz.ts'
import { hash, u32le, u64le } from '../../../src/core/crypto/hash.ts'
import { MerkleMap, type MerkleValue } from '../../../src/core/crypto/merkleMap.ts'

interface Value { readonly balance: bigint, readonly nonce: number }
const KIND: MerkleValue<Value> = { encode: v => u32le(v.nonce), amount: v => v.balance }
const EMPTY = MerkleMap.empty(KIND)

/** Keys that share long prefixes as often as they differ at once. */
const key = fc.tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 0, max: 32 }))
  .map(([bytes, shared]) => Uint8Array.from(bytes, (b, i) => i < shared ? 0xa5 : b))
const value = fc.record({ balance: fc.bigInt({ min: 0n, max: 1n << 50n }), nonce: fc.integer({ min: 0, max: 2 ** 32 - 1 }) })
const entries = fc.uniqueArray(fc.tuple(key, value), { maxLength: 40, selector: ([k]) => toHex(k) })

type Entry = readonly [Uint8Array, Value]
const bit = (k: Uint8Array, i: number): number => (k[i >> 3] >> (7 - (i & 7))) & 1

/** The definition, built at once from the sorted content. */
function naive (list: readonly Entry[], from = 0): { readonly root: Uint8Array, readonly sum: bigint } {
  if (list.length === 0) return { root: ZERO32, sum: 0n }
  if (list.length === 1) {
    const [k, v] = list[0]
    return { root: hash('map-leaf', k, u64le(v.balance), u32le(v.nonce)), sum: v.balance }
  }
  let i = from
  while (list.every(([k]) => bit(k, i) === bit(list[0][0], i))) i++
  const left = naive(list.filter(([k]) => bit(k, i) === 0), i + 1)
  const right = naive(list.filter(([k]) => bit(k, i) === 1), i + 1)
  return { root: hash('map-branch', u32le(i), left.root, u64le(left.sum), right.root, u64le(right.sum)), sum: left.sum + right.sum }
}

const build = (list: readonly Entry[]): MerkleMap<Value> => list.reduce((m, [k, v]) => m.set(k, v), EMPTY)

describe('the merkle-sum map', () => {
  it('is the same built at once from sorted keys, and takes no others', () => {
    fc.assert(fc.property(entries, list => {
      const sorted = [...list].sort(([a], [b]) => compareBytes(a, b))
      const m = MerkleMap.fromSorted(KIND, sorted)
      expect(toHex(m.root)).toBe(toHex(build(list).root))
      expect([m.size, m.sum]).toEqual([list.length, build(list).sum])
      expect([...m.entries()]).toEqual(sorted)
      if (sorted.length > 1) {
        expect(() => MerkleMap.fromSorted(KIND, [...sorted].reverse())).toThrow('ascend')
        expect(() => MerkleMap.fromSorted(KIND, [sorted[0], ...sorted])).toThrow('ascend')
      }
    }))
  })

  it('has the root, the sum and the size of a naive build', () => {
    fc.assert(fc.property(entries, list => {
      const m = build(list)
      const wanted = naive(list)
      expect(toHex(m.root)).toBe(toHex(wanted.root))
      expect(m.sum).toBe(wanted.sum)
      expect(m.size).toBe(list.length)
    }))
  })

  it('depends on the content only: not on order, nor on what was there before', () => {
    fc.assert(fc.property(entries, entries, fc.infiniteStream(fc.nat()), (list, gone, random) => {
      const order = [...list].map(e => [random.next().value as number, e] as const).sort((a, b) => a[0] - b[0]).map(([, e]) => e)
      const kept = new Set(list.map(([k]) => toHex(k)))
      let m = build([...gone, ...order])
      for (const [k] of gone) if (!kept.has(toHex(k))) m = m.delete(k)
      expect(toHex(m.root)).toBe(toHex(build(list).root))
      expect(m.sum).toBe(build(list).sum)
    }))
  })

  it('iterates in key order and finds what it holds, nothing else', () => {
    fc.assert(fc.property(entries, key, (list, absent) => {
      const m = build(list)
      const sorted = [...list].sort(([a], [b]) => compareBytes(a, b))
      expect([...m.entries()].map(([k, v]) => [toHex(k), v])).toEqual(sorted.map(([k, v]) => [toHex(k), v]))
      for (const [k, v] of list) expect(m.get(k)).toEqual(v)
      if (!list.some(([k]) => compareBytes(k, absent) === 0)) {
        expect(m.get(absent)).toBeUndefined()
        expect(m.delete(absent)).toBe(m)
      }
    }))
  })

  it('never changes: an older version keeps its root', () => {
    fc.assert(fc.property(entries, key, value, (list, k, v) => {
      const before = build(list)
      const root = toHex(before.root)
      const after = before.set(k, v)
      expect(after.get(k)).toEqual(v)
      after.delete(k)
      expect(toHex(before.root)).toBe(root)
      expect(before.size).toBe(list.length)
    }))
  })

  it('commits to every balance, every nonce and every partial sum', () => {
    const [a, b] = [hash('a'), hash('b')]
    const m = EMPTY.set(a, { balance: 5n, nonce: 1 }).set(b, { balance: 7n, nonce: 0 })
    const variants = [
      EMPTY.set(a, { balance: 6n, nonce: 1 }).set(b, { balance: 6n, nonce: 0 }),
      EMPTY.set(a, { balance: 5n, nonce: 2 }).set(b, { balance: 7n, nonce: 0 }),
      EMPTY.set(a, { balance: 7n, nonce: 1 }).set(b, { balance: 5n, nonce: 0 }),
      EMPTY.set(a, { balance: 5n, nonce: 1 })
    ]
    expect(new Set([m, ...variants].map(x => toHex(x.root))).size).toBe(5)
  })

  it('takes 32-byte keys only', () => {
    expect(() => EMPTY.set(new Uint8Array(31), { balance: 1n, nonce: 0 })).toThrow('31 bytes')
  })
})
