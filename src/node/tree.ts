/**
 * The blocks this node holds in memory, as a tree above a base: the newest blocks of the main chain
 * and every branch that forks off above the base. Nothing is checked here and nothing is stored;
 * chain.ts decides what goes in.
 *
 * Three depths below the head: bodies are kept for `bodies` blocks, nodes for `nodes` blocks, and the
 * bare metas below the base (parents only, for the rules that look back) for `metas` more.
 */
import { toHex } from '../core/codec/ssz.ts'
import type { Body } from '../core/codec/wire.ts'
import { type BlockMeta, compareChains, type HeaderMeta } from '../core/consensus/chain.ts'
import { claimId } from '../core/crypto/ids.ts'
import type { LedgerEvent } from '../core/ledger/apply.ts'
import type { ChainParams } from '../core/params.ts'
import type { PeerId } from '../ports/network.ts'
import type { BlockRecord, Hex } from './parts.ts'

export interface TreeNode {
  readonly key: Hex
  readonly meta: BlockMeta
  readonly parent: Hex
  /** Dropped below the kept depth; the stored copy remains. */
  body: Body | undefined
  events: readonly LedgerEvent[]
  checked: BlockRecord['checked']
  /** It has sealed a contribution that was proved wrong. */
  condemned: boolean
  readonly origin?: PeerId
  /** Nearly every block has one: sets of one were a third of the memory of a tree. */
  children: readonly Hex[]
  /** Set when the node has left the tree for good: it must not be stored any more. */
  removed: boolean
}

export interface Depths { readonly bodies: number, readonly nodes: number, readonly metas: number }

export interface HeadChange { readonly removed: readonly TreeNode[], readonly added: readonly TreeNode[] }

export function treeNode (n: Pick<TreeNode, 'meta' | 'body' | 'events' | 'checked' | 'origin'> & { readonly condemned?: boolean }): TreeNode {
  return {
    key: toHex(n.meta.hash),
    meta: n.meta,
    parent: toHex(n.meta.header.template.parent),
    body: n.body,
    events: n.events,
    checked: n.checked,
    condemned: n.condemned === true,
    origin: n.origin,
    children: [],
    removed: false
  }
}

/** As others see it; undefined without its body. */
export function record (n: TreeNode | undefined): BlockRecord | undefined {
  return n?.body === undefined ? undefined : n as BlockRecord
}

export function records (nodes: readonly TreeNode[]): BlockRecord[] {
  return nodes.map(record).filter((r) => r !== undefined)
}

/** Whether one of these contributions is sealed in it. */
export function carries (body: Body, contributions: ReadonlySet<Hex>): boolean {
  return contributions.size > 0 && body.seals.some((s) => s.seal.contributions.some((c) => contributions.has(toHex(claimId(c)))))
}

export class BlockTree {
  readonly #nodes = new Map<Hex, TreeNode>()
  readonly #main = new Map<number, TreeNode>()
  readonly #proof: number
  readonly #maturity: number
  readonly #undone: number
  /** Height of the base when metas were last let go of. */
  #cutAt = 0
  #base: TreeNode
  #head: TreeNode

  /**
   * For a branch to win so many blocks must have been redone above work taken on trust (`proof`), and above a condemned
   * block (`maturity`). `undone`: of so many blocks redone here, that a branch on trust would undo, it must redo the work.
   */
  constructor (base: TreeNode, proof: number, maturity: number, undone: number) {
    this.#undone = undone
    this.#proof = proof
    this.#maturity = maturity
    this.#base = base
    this.#head = base
    this.#nodes.set(base.key, base)
    this.#main.set(base.meta.height, base)
  }

  get head (): TreeNode { return this.#head }
  get base (): TreeNode { return this.#base }
  get size (): number { return this.#nodes.size }

  get (key: Hex): TreeNode | undefined { return this.#nodes.get(key) }
  at (height: number): TreeNode | undefined { return this.#main.get(height) }
  isMain (n: TreeNode): boolean { return this.#main.get(n.meta.height) === n }
  nodes (): IterableIterator<TreeNode> { return this.#nodes.values() }

  /** Main-chain blocks above a height, oldest first. */
  mainAbove (height: number): TreeNode[] {
    const nodes: TreeNode[] = []
    for (let h = Math.max(height, this.#base.meta.height) + 1; h <= this.#head.meta.height; h++) nodes.push(this.#main.get(h)!)
    return nodes
  }

  /** Newest main-chain block whose work was redone here; the base if none was. */
  redone (): TreeNode {
    let n = this.#head
    while (n !== this.#base && n.checked === 'ledger') n = this.#main.get(n.meta.height - 1)!
    return n
  }

  /** Newest main-chain block under which enough were redone, one after another: one alone proves nothing of what lies below. */
  proven (): TreeNode {
    let top = this.#head
    let run = 0
    for (let n = top; n !== this.#base; n = this.#main.get(n.meta.height - 1)!) {
      if (n.checked !== 'ledger') {
        if (++run === this.#proof) return top
        continue
      }
      run = 0
      top = this.#main.get(n.meta.height - 1)!
    }
    return top
  }

  /** The parent must be in the tree. Moves the head if the new block is a better tip and `mayLead`. */
  insert (n: TreeNode, mayLead = true): HeadChange | undefined {
    const parent = this.#nodes.get(n.parent)
    if (parent === undefined) throw new Error(`insert of ${n.key} without its parent`)
    this.#nodes.set(n.key, n)
    // A spread would leave room for sixteen more.
    parent.children = parent.children.concat([n.key])
    if (!mayLead || !this.#mayLead(n) || compareChains(n.meta, this.#head.meta) <= 0) return undefined
    return this.#moveHead(n)
  }

  /**
   * Work that a branch on trust must have redone at its end to replace the main chain above this block, or above the
   * one it branches off from: that of the newest blocks redone here that it would undo. Blocks that nobody redoes set
   * the target of those after them, so that many redone blocks may be next to no work.
   */
  owed (n: TreeNode): bigint {
    let fork = n
    while (!this.isMain(fork)) fork = this.#nodes.get(fork.parent)!
    let owed = 0n
    let count = 0
    for (let x = this.#head; x.meta.height > fork.meta.height && count < this.#undone; x = this.#main.get(x.meta.height - 1)!) {
      if (x.checked === 'ledger') continue
      owed += x.meta.work - this.#main.get(x.meta.height - 1)!.meta.work
      count++
    }
    return owed
  }

  /**
   * Work that was not redone here may lengthen the chain this node follows. It replaces that chain
   * only under enough blocks that were redone, and no less work than it undoes: tickets are free to forge until a
   * replay looks at them. A condemned block waits for those in any case: what is ripe under honest work stands.
   */
  #mayLead (n: TreeNode): boolean {
    if (n.parent === this.#head.key) return !n.condemned
    let redone = 0
    let trusted: TreeNode | undefined
    for (let x = n; !this.isMain(x); x = this.#nodes.get(x.parent)!) {
      if (x.condemned && redone < this.#maturity) return false
      if (x.checked !== 'ledger') redone++
      else if (trusted === undefined && redone < this.#proof) return false
      else trusted ??= x
    }
    return trusted === undefined || n.meta.work - trusted.meta.work >= this.owed(trusted)
  }

  /** Moves the head if a block has become a better tip by having been redone, and on to what lengthens that. */
  reconsider (): HeadChange | undefined {
    let best = this.#head
    for (const n of this.#nodes.values()) {
      if (compareChains(n.meta, best.meta) > 0 && this.#mayLead(n)) best = n
    }
    for (let next: TreeNode | undefined = best; next !== undefined; next = this.#lengthens(best)) best = next
    return best === this.#head ? undefined : this.#moveHead(best)
  }

  /** The best block on this one that may lead where it does. */
  #lengthens ({ children }: TreeNode): TreeNode | undefined {
    return children.map(key => this.#nodes.get(key)!).filter(n => !n.condemned).reduce<TreeNode | undefined>((best, n) => best === undefined || compareChains(n.meta, best.meta) > 0 ? n : best, undefined)
  }

  /** Takes the block and everything after it out; the base stays. Returns what left, parents first. */
  remove (root: TreeNode): { readonly gone: readonly TreeNode[], readonly change?: HeadChange } {
    if (root === this.#base || root.removed) return { gone: [] }
    const gone: TreeNode[] = []
    const open = [root]
    for (let n = open.pop(); n !== undefined; n = open.pop()) {
      gone.push(n)
      for (const c of n.children) open.push(this.#nodes.get(c)!)
    }
    const parent = this.#nodes.get(root.parent)!
    parent.children = parent.children.filter(key => key !== root.key)
    for (const n of gone) { n.removed = true; this.#nodes.delete(n.key) }
    gone.sort((a, b) => a.meta.height - b.meta.height)
    if (!this.#head.removed) return { gone }
    const back = this.#moveHead(this.#standing(this.#main.get(root.meta.height - 1)!))
    const on = this.reconsider()
    return { gone, change: { removed: [...on?.removed ?? [], ...back.removed], added: on?.added ?? [] } }
  }

  /** The newest of `n` and those before it, all of the main chain, that is no condemned block nor on one under too few blocks that were redone. */
  #standing (n: TreeNode): TreeNode {
    let to = n
    let redone = 0
    for (let x = n; x !== this.#base && redone < this.#maturity; x = this.#nodes.get(x.parent)!) {
      if (x.condemned) {
        to = this.#nodes.get(x.parent)!
        redone = 0
      } else if (x.checked !== 'ledger') redone++
    }
    return to
  }

  /** Branch of `n` down to the main chain, oldest first, the fork block excluded. */
  branch (n: TreeNode): TreeNode[] {
    const out: TreeNode[] = []
    for (let x = n; !this.isMain(x); x = this.#nodes.get(x.parent)!) out.push(x)
    return out.reverse()
  }

  #moveHead (to: TreeNode): HeadChange {
    const added = this.branch(to)
    const fork = added.length > 0 ? added[0].meta.height - 1 : to.meta.height
    const removed: TreeNode[] = []
    for (let h = fork + 1; h <= this.#head.meta.height; h++) {
      removed.push(this.#main.get(h)!)
      this.#main.delete(h)
    }
    for (const n of added) this.#main.set(n.meta.height, n)
    this.#head = to
    return { removed, added }
  }

  /**
   * Forgets what lies too deep. The base follows the newest main-chain block that is proved here,
   * so that a chain that turns out to be forged can always be left again, and stays below `held`, the lowest
   * block of what is not settled.
   */
  prune (depths: Depths, held?: TreeNode): { readonly bodiless: readonly TreeNode[], readonly gone: readonly TreeNode[] } {
    const head = this.#head.meta.height
    const bodiless: TreeNode[] = []
    for (let h = head - depths.bodies - 1; h > this.#base.meta.height; h--) {
      const n = this.#main.get(h)
      if (n === undefined || n.body === undefined) break
      n.body = undefined
      n.events = []
      bodiless.push(n)
    }
    const height = Math.min(head - depths.nodes, this.proven().meta.height - depths.bodies, (held?.meta.height ?? Infinity) - 1)
    if (height <= this.#base.meta.height) return { bodiless, gone: [] }
    const base = this.#main.get(height)!
    const gone: TreeNode[] = []
    // All that is in the tree hangs on the old base: what does not hang on the new one branches off between the two.
    for (let h = this.#base.meta.height; h < height; h++) {
      const n = this.#main.get(h)!
      const next = this.#main.get(h + 1)!
      const open = n.children.filter(key => key !== next.key).map(key => this.#nodes.get(key)!)
      gone.push(n)
      for (let side = open.pop(); side !== undefined; side = open.pop()) {
        gone.push(side)
        side.removed = true
        for (const c of side.children) open.push(this.#nodes.get(c)!)
      }
      this.#main.delete(h)
    }
    for (const n of gone) this.#nodes.delete(n.key)
    this.#base = base
    if (height >= this.#cutAt + CUT_BLOCKS) {
      this.#cutAt = height
      cutParents(base.meta, depths.metas)
    }
    return { bodiless, gone }
  }
}

/** The walk down to them costs as much as all else that a block does: so many may lie there longer. */
const CUT_BLOCKS = 32

/** Lets go of the metas more than `keep` below `meta`, so that memory does not grow with the chain. */
export function cutParents (meta: HeaderMeta, keep: number): void {
  let m: HeaderMeta | undefined = meta
  for (let i = 0; i < keep && m !== undefined; i++) m = m.parent
  if (m !== undefined) (m as { parent?: HeaderMeta }).parent = undefined
}

/** What a branch on trust undoes of us it must have redone: as much as there is sure to be data for, with room for one whose blocks are lighter. */
export const undoneBlocks = (p: Pick<ChainParams, 'historyBlocks'>): number => Math.floor(2 * p.historyBlocks / 3)

/** How far the rules look back from a block, with room for forks, and how far a ledger does. */
export function treeDepths (p: ChainParams): Depths {
  return { bodies: p.historyBlocks, nodes: 2 * p.historyBlocks, metas: p.minerCountBlocks + p.randomnessAgeMax + p.rhoDelay + p.committeeBlocks + p.anchorAgeMax }
}
