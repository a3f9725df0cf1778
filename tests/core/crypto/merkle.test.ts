import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { merkleLevels, merkleRoot, rangeProof, rangeProofFromLevels, verifyRange } from '../../../src/core/crypto/merkle.ts'

const leavesOf = (n: number): Uint8Array[] => Array.from({ length: n }, (_, i) => hash('record', u32le(i)))

/** The definition, by recursion: split at the largest power of two below n. */
function naiveRoot (leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]
  let half = 1
  while (half * 2 < leaves.length) half *= 2
  return hash('merkle-node', naiveRoot(leaves.slice(0, half)), naiveRoot(leaves.slice(half)))
}

const range = fc.integer({ min: 1, max: 40 }).chain(total => fc.integer({ min: 0, max: total - 1 }).chain(first =>
  fc.integer({ min: 1, max: total - first }).map(count => ({ total, first, count }))))

describe('merkle trees', () => {
  it('has the root of the recursive definition', () => {
    for (let n = 1; n <= 33; n++) expect(merkleRoot(leavesOf(n))).toEqual(naiveRoot(leavesOf(n)))
  })

  it('ends its levels in the root', () => {
    const levels = merkleLevels(leavesOf(11))
    expect(levels.map(l => l.length)).toEqual([11, 6, 3, 2, 1])
    expect(levels[4][0]).toEqual(merkleRoot(leavesOf(11)))
  })

  it('has no root of nothing', () => {
    expect(() => merkleRoot([])).toThrow('needs a leaf')
    expect(() => merkleLevels([])).toThrow('needs a leaf')
  })

  it('proves every range', () => {
    fc.assert(fc.property(range, ({ total, first, count }) => {
      const leaves = leavesOf(total)
      const proof = rangeProof(leaves, first, count)
      return verifyRange(merkleRoot(leaves), total, first, leaves.slice(first, first + count), proof)
    }), { numRuns: 300 })
  })

  it('refuses a changed leaf, sibling, position or size', () => {
    fc.assert(fc.property(range, fc.nat(), ({ total, first, count }, pick) => {
      const leaves = leavesOf(total)
      const root = merkleRoot(leaves)
      const proof = rangeProof(leaves, first, count)
      const some = leaves.slice(first, first + count)
      const wrong = hash('record', u32le(1000))
      const replaced = (list: Uint8Array[]): Uint8Array[] => list.map((x, i) => i === pick % list.length ? wrong : x)
      expect(verifyRange(root, total, first, replaced(some), proof)).toBe(false)
      if (proof.length > 0) expect(verifyRange(root, total, first, some, replaced(proof))).toBe(false)
      if (proof.length > 0) expect(verifyRange(root, total, first, some, proof.slice(1))).toBe(false)
      expect(verifyRange(root, total, first, some, [...proof, wrong])).toBe(false)
      if (first > 0) expect(verifyRange(root, total, first - 1, some, proof)).toBe(false)
      expect(verifyRange(wrong, total, first, some, proof)).toBe(false)
    }), { numRuns: 200 })
  })

  it('refuses ranges that are not in the tree', () => {
    const leaves = leavesOf(5)
    const root = merkleRoot(leaves)
    expect(verifyRange(root, 5, 0, [], [])).toBe(false)
    expect(verifyRange(root, 5, -1, leaves.slice(0, 1), [])).toBe(false)
    expect(verifyRange(root, 5, 0.5, leaves.slice(0, 1), [])).toBe(false)
    expect(verifyRange(root, 5, 1, leaves, [])).toBe(false)
    expect(() => rangeProof(leaves, 3, 3)).toThrow('no leaves 3..5 of 5')
    expect(() => rangeProofFromLevels(merkleLevels(leaves), 0, 0)).toThrow('no leaves')
  })
})
