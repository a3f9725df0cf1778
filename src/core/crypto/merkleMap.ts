/**
 * An immutable map from 32-byte keys to values that carry an amount, with a root hash that depends
 * on the content only and commits to the sum of the amounts at every node (a merkle-sum tree).
 * Shape: crit-bit tree, so one path-compressed form per content; an update copies one path and
 * hashes are made when asked for, once per node.
 * Source: D. J. Bernstein, crit-bit trees; Maxwell & Todd, merkle-sum trees.
 */
import { compareBytes, ZERO32 } from '../codec/ssz.ts'
import { hash } from './hash.ts'

const KEY_BITS = 256
/** Leaves: a few hundredths of a second. */
const HASHED_AT_ONCE = 8192

/** Its hash is not kept: it takes one call to make again, and of a large map half of the memory. */
interface Leaf<V> { readonly key: Uint8Array, readonly value: V, readonly sum: bigint }
interface Branch<V> {
  /** Index of the first bit, most significant first, in which the keys of the two sides differ. */
  readonly bit: number
  readonly left: Tree<V>
  readonly right: Tree<V>
  readonly sum: bigint
  readonly size: number
  digest?: Uint8Array
}
type Tree<V> = Leaf<V> | Branch<V>

/** How a value is hashed and what it weighs in the sum. */
export interface MerkleValue<V> {
  readonly encode: (value: V) => Uint8Array
  readonly amount: (value: V) => bigint
}

const isBranch = <V>(t: Tree<V>): t is Branch<V> => 'bit' in t
const bitOf = (key: Uint8Array, bit: number): number => (key[bit >> 3] >> (7 - (bit & 7))) & 1

function firstDifference (a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ^ b[i]
    if (x !== 0) return i * 8 + Math.clz32(x) - 24
  }
  return KEY_BITS
}

const sizeOf = <V>(t: Tree<V>): number => isBranch(t) ? t.size : 1

const branch = <V>(bit: number, left: Tree<V>, right: Tree<V>): Branch<V> =>
  ({ bit, left, right, sum: left.sum + right.sum, size: sizeOf(left) + sizeOf(right) })

/** The leaf that shares the longest path with `key`. */
function nearest<V> (tree: Tree<V>, key: Uint8Array): Leaf<V> {
  let t = tree
  while (isBranch(t)) t = bitOf(key, t.bit) === 0 ? t.left : t.right
  return t
}

/** `bit` is where `key` leaves the tree; KEY_BITS if it is in it. */
function insert<V> (t: Tree<V>, leaf: Leaf<V>, bit: number): Tree<V> {
  if (!isBranch(t) || t.bit > bit) {
    if (bit === KEY_BITS) return leaf
    return bitOf(leaf.key, bit) === 0 ? branch(bit, leaf, t) : branch(bit, t, leaf)
  }
  return bitOf(leaf.key, t.bit) === 0
    ? branch(t.bit, insert(t.left, leaf, bit), t.right)
    : branch(t.bit, t.left, insert(t.right, leaf, bit))
}

function remove<V> (t: Tree<V>, key: Uint8Array): Tree<V> | undefined {
  if (!isBranch(t)) return undefined
  if (bitOf(key, t.bit) === 0) {
    const left = remove(t.left, key)
    return left === undefined ? t.right : branch(t.bit, left, t.right)
  }
  const right = remove(t.right, key)
  return right === undefined ? t.left : branch(t.bit, t.left, right)
}

function * walk<V> (tree: Tree<V>): Generator<readonly [Uint8Array, V]> {
  // One generator with a stack: one per branch would hand each entry through as many as the tree is deep.
  const open = [tree]
  for (let t = open.pop(); t !== undefined; t = open.pop()) {
    if (isBranch(t)) open.push(t.right, t.left)
    else yield [t.key, t.value]
  }
}

/** Leaves `from` to `to` - 1 of ascending keys, of which all share the bits that lead here. */
function build<V> (leaves: ReadonlyArray<Leaf<V>>, from: number, to: number): Tree<V> {
  if (to - from === 1) return leaves[from]
  const bit = firstDifference(leaves[from].key, leaves[to - 1].key)
  let low = from
  let high = to - 1
  // The first leaf whose bit is 1: as the keys ascend, all after it have it too.
  while (low < high) {
    const middle = (low + high) >>> 1
    if (bitOf(leaves[middle].key, bit) === 0) low = middle + 1
    else high = middle
  }
  return branch(bit, build(leaves, from, low), build(leaves, low, to))
}

export class MerkleMap<V> {
  private constructor (private readonly kind: MerkleValue<V>, private readonly tree: Tree<V> | undefined) {}

  static empty<V> (kind: MerkleValue<V>): MerkleMap<V> {
    return new MerkleMap(kind, undefined)
  }

  /** All at once, without the paths that setting one after another would copy. Keys must ascend. */
  static fromSorted<V> (kind: MerkleValue<V>, entries: ReadonlyArray<readonly [Uint8Array, V]>): MerkleMap<V> {
    const leaves = entries.map(([key, value], i): Leaf<V> => {
      if (key.length * 8 !== KEY_BITS) throw new Error(`key of ${key.length} bytes`)
      if (i > 0 && compareBytes(entries[i - 1][0], key) >= 0) throw new Error('keys do not ascend')
      return { key, value, sum: kind.amount(value) }
    })
    return new MerkleMap(kind, leaves.length === 0 ? undefined : build(leaves, 0, leaves.length))
  }

  get size (): number {
    return this.tree === undefined ? 0 : sizeOf(this.tree)
  }

  get sum (): bigint {
    return this.tree === undefined ? 0n : this.tree.sum
  }

  /** Zero for the empty map. */
  get root (): Uint8Array {
    return this.tree === undefined ? ZERO32 : this.digest(this.tree)
  }

  get (key: Uint8Array): V | undefined {
    if (this.tree === undefined) return undefined
    const leaf = nearest(this.tree, key)
    return compareBytes(leaf.key, key) === 0 ? leaf.value : undefined
  }

  set (key: Uint8Array, value: V): MerkleMap<V> {
    if (key.length * 8 !== KEY_BITS) throw new Error(`key of ${key.length} bytes`)
    const leaf: Leaf<V> = { key: key.slice(), value, sum: this.kind.amount(value) }
    const tree = this.tree === undefined ? leaf : insert(this.tree, leaf, firstDifference(nearest(this.tree, key).key, key))
    return new MerkleMap(this.kind, tree)
  }

  delete (key: Uint8Array): MerkleMap<V> {
    return this.tree === undefined || this.get(key) === undefined ? this : new MerkleMap(this.kind, remove(this.tree, key))
  }

  /** In key order. */
  * entries (): Generator<readonly [Uint8Array, V]> {
    if (this.tree !== undefined) yield * walk(this.tree)
  }

  /** Makes the hashes that are missing, in parts: stops after each. What `root` is does not depend on it. */
  * hashing (): Generator<undefined, void> {
    if (this.tree !== undefined) yield * this.hashPart(this.tree)
  }

  private * hashPart (t: Tree<V>): Generator<undefined, void> {
    if (isBranch(t) && t.size > HASHED_AT_ONCE) {
      yield * this.hashPart(t.left)
      yield * this.hashPart(t.right)
    }
    this.digest(t)
    yield
  }

  private digest (t: Tree<V>): Uint8Array {
    if (!isBranch(t)) return hash('map-leaf', leafBytes(t, this.kind.encode(t.value)))
    return t.digest ??= branchDigest(t, this.digest(t.left), this.digest(t.right))
  }
}

/** What is hashed is put together here first: one call of an engine costs less than five. */
const scratch = new Uint8Array(4 + 2 * (32 + 8))
const scratchView = new DataView(scratch.buffer)

function branchDigest<V> (t: Branch<V>, left: Uint8Array, right: Uint8Array): Uint8Array {
  scratchView.setUint32(0, t.bit, true)
  scratch.set(left, 4)
  scratchView.setBigUint64(36, t.left.sum, true)
  scratch.set(right, 44)
  scratchView.setBigUint64(76, t.right.sum, true)
  return hash('map-branch', scratch)
}

function leafBytes<V> (t: Leaf<V>, value: Uint8Array): Uint8Array {
  const end = 32 + 8 + value.length
  const bytes = end <= scratch.length ? scratch.subarray(0, end) : new Uint8Array(end)
  const view = bytes.buffer === scratch.buffer ? scratchView : new DataView(bytes.buffer)
  bytes.set(t.key)
  view.setBigUint64(32, t.sum, true)
  bytes.set(value, 40)
  return bytes
}
