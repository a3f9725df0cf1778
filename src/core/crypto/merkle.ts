/**
 * Binary merkle trees over 32-byte leaf hashes, and proofs of a range of leaves. A level's odd last
 * node is promoted unhashed; leaves carry a tag of their own, so no node passes for a leaf, and the
 * number of leaves is always known from elsewhere (a spec), so no tree passes for a smaller one.
 */
import { equalBytes } from '../codec/ssz.ts'
import { hash } from './hash.ts'

export type NodeHash = (left: Uint8Array, right: Uint8Array) => Uint8Array

const merkleNode: NodeHash = (left, right) => hash('merkle-node', left, right)

function levelAbove (level: readonly Uint8Array[], node: NodeHash): Uint8Array[] {
  const above: Uint8Array[] = []
  for (let i = 0; i + 1 < level.length; i += 2) above.push(node(level[i], level[i + 1]))
  if (level.length % 2 === 1) above.push(level[level.length - 1])
  return above
}

/** All levels, leaves first, root last. For a tree that answers many requests. */
export function merkleLevels (leaves: readonly Uint8Array[], node: NodeHash = merkleNode): ReadonlyArray<readonly Uint8Array[]> {
  if (leaves.length === 0) throw new Error('a merkle tree needs a leaf')
  const levels: Array<readonly Uint8Array[]> = [leaves]
  while (levels[levels.length - 1].length > 1) levels.push(levelAbove(levels[levels.length - 1], node))
  return levels
}

export function merkleRoot (leaves: readonly Uint8Array[], node: NodeHash = merkleNode): Uint8Array {
  if (leaves.length === 0) throw new Error('a merkle tree needs a leaf')
  let level: readonly Uint8Array[] = leaves
  while (level.length > 1) level = levelAbove(level, node)
  return level[0]
}

/** Siblings that prove leaves first..first+count-1: per level upwards, left before right. */
export function rangeProofFromLevels (levels: ReadonlyArray<readonly Uint8Array[]>, first: number, count: number): Uint8Array[] {
  if (first < 0 || count < 1 || first + count > levels[0].length) throw new Error(`no leaves ${first}..${first + count - 1} of ${levels[0].length}`)
  const proof: Uint8Array[] = []
  let from = first
  let to = first + count - 1
  for (const level of levels.slice(0, -1)) {
    if (from % 2 === 1) proof.push(level[from - 1])
    if (to % 2 === 0 && to + 1 < level.length) proof.push(level[to + 1])
    from >>>= 1
    to >>>= 1
  }
  return proof
}

export function rangeProof (leaves: readonly Uint8Array[], first: number, count: number): Uint8Array[] {
  return rangeProofFromLevels(merkleLevels(leaves), first, count)
}

/**
 * Whether `leafHashes` are the leaves from `first` on of the tree of `total` leaves under `root`.
 * The proof must have exactly the siblings needed: bytes from a stranger have one valid form.
 */
export function verifyRange (root: Uint8Array, total: number, first: number, leafHashes: readonly Uint8Array[], proof: readonly Uint8Array[]): boolean {
  if (!Number.isInteger(first) || first < 0 || leafHashes.length === 0 || first + leafHashes.length > total) return false
  let level: readonly Uint8Array[] = leafHashes
  let from = first
  let size = total
  let used = 0
  while (size > 1) {
    const row = [...level]
    let to = from + row.length - 1
    if (from % 2 === 1) {
      if (used === proof.length) return false
      row.unshift(proof[used++])
      from--
    }
    if (to % 2 === 0 && to + 1 < size) {
      if (used === proof.length) return false
      row.push(proof[used++])
      to++
    }
    level = levelAbove(row, merkleNode)
    from >>>= 1
    size = (size + 1) >>> 1
  }
  return used === proof.length && equalBytes(level[0], root)
}
