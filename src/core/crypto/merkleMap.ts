/**
 * An immutable map from 32-byte keys to values that carry an amount, with a root hash that depends
 * on the content only and commits to the sum of the amounts at every node (a merkle-sum tree).
 * Shape: crit-bit tree, so one path-compressed form per content; an update copies one path and
 * hashes are made when asked for, once per node.
 * Source: D. J. Bernstein, crit-bit trees; Maxwell & Todd, merkle-sum trees.
 */
import { compareBytes, ZERO32 } from '../codec/ssz.ts'
import { hash, u32le, u64le } from './hash.ts'

const KEY_BITS = 256

interface Leaf<V> { readonly key: Uint8Array, readonly value: V, readonly sum: bigint, digest?: Uint8Array }
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

function * walk<V> (t: Tree<V>): Generator<readonly [Uint8Array, V]> {
  if (isBranch(t)) {
    yield * walk(t.left)
    yield * walk(t.right)
  } else yield [t.key, t.value]
}

export class MerkleMap<V> {
  private constructor (private readonly kind: MerkleValue<V>, private readonly tree: Tree<V> | undefined) {}

  static empty<V> (kind: MerkleValue<V>): MerkleMap<V> {
    return new MerkleMap(kind, undefined)
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

  private digest (t: Tree<V>): Uint8Array {
    t.digest ??= isBranch(t)
      ? hash('map-branch', u32le(t.bit), this.digest(t.left), u64le(t.left.sum), this.digest(t.right), u64le(t.right.sum))
      : hash('map-leaf', t.key, u64le(t.sum), this.kind.encode(t.value))
    return t.digest
  }
}
