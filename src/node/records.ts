/** Miners with a record: what recent blocks tell of them. */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import type { ChainService, Hex } from './parts.ts'

/** Forks have windows of their own. */
const WINDOWS_KNOWN = 4

interface Miners { readonly maker: Hex, readonly sealed: ReadonlySet<Hex> }

const NOBODY: ReadonlySet<Hex> = new Set()

/** Of one chain, where each miner was seen last: the next block on it costs a look at that block, not at all of its window. */
class Seen {
  readonly #window: number
  readonly #minersOf: (meta: BlockMeta) => Miners | undefined
  readonly #made = new Map<Hex, number>()
  readonly #sealed = new Map<Hex, number>()
  #tip: BlockMeta | undefined

  constructor (window: number, minersOf: (meta: BlockMeta) => Miners | undefined) {
    this.#window = window
    this.#minersOf = minersOf
  }

  /** False where not all bodies of the window are here: it has to be looked at as it is. */
  follow (to: BlockMeta): boolean {
    // Those seen long ago are forgotten.
    if (this.#made.size + this.#sealed.size > WINDOWS_KNOWN * this.#window) this.#tip = undefined
    const fresh: Array<readonly [number, Miners]> = []
    let meta: BlockMeta | undefined = to
    for (; fresh.length < this.#window && meta !== undefined && meta.height > 0 && meta !== this.#tip; meta = meta.parent) {
      const miners = this.#minersOf(meta)
      if (miners === undefined) return false
      fresh.push([meta.height, miners])
    }
    if (meta === undefined || meta !== this.#tip) {
      this.#made.clear()
      this.#sealed.clear()
    }
    for (const [height, { maker, sealed }] of fresh.reverse()) {
      this.#made.set(maker, height)
      for (const key of sealed) this.#sealed.set(key, height)
    }
    this.#tip = to
    return true
  }

  /** Whether he made a block of the window; sealed: whether one carries a contribution of his. */
  made (key: Hex): boolean { return this.#isWithin(this.#made.get(key)) }
  sealed (key: Hex): boolean { return this.#isWithin(this.#sealed.get(key)) }

  #isWithin (height: number | undefined): boolean { return height !== undefined && height > this.#tip!.height - this.#window }
}

export class Records {
  readonly #params: Pick<ChainParams, 'minerCountBlocks'>
  readonly #chain: Pick<ChainService, 'get'>
  /** Of the blocks last asked about: what lies behind all windows is not asked for again. */
  readonly #known = new Map<BlockMeta, Miners>()
  readonly #anchors: Seen
  readonly #parents: Seen

  constructor (params: Pick<ChainParams, 'minerCountBlocks'>, chain: Pick<ChainService, 'get'>) {
    this.#params = params
    this.#chain = chain
    this.#anchors = new Seen(params.minerCountBlocks, meta => this.#minersOf(meta))
    this.#parents = new Seen(params.minerCountBlocks, meta => this.#isTold(meta) ? undefined : this.#minersOf(meta))
  }

  /** Whether a contribution of this miner was sealed in the blocks up to the anchor: everyone who has their bodies says the same. */
  has (anchor: BlockMeta, miner: Uint8Array): boolean {
    const key = toHex(miner)
    if (this.#anchors.follow(anchor)) return this.#anchors.sealed(key)
    for (const meta of this.#upTo(anchor)) if (this.#minersOf(meta)?.sealed.has(key) === true) return true
    return false
  }

  /**
   * Whether one of these blocks is this miner's own, or seals a contribution of his: either has cost him a
   * slice that others redid. Undefined where not all of the bodies are here, or their work is on trust, and the rest does not show it.
   */
  standing (parent: BlockMeta, miner: Uint8Array): boolean | undefined {
    const key = toHex(miner)
    if (this.#parents.follow(parent)) return this.#parents.made(key) || this.#parents.sealed(key)
    for (const meta of this.#upTo(parent)) {
      // Hashes alone make a block that is only told.
      if (this.#isTold(meta)) continue
      const miners = this.#minersOf(meta)
      if (miners === undefined ? equalBytes(meta.header.template.miner, miner) : miners.maker === key || miners.sealed.has(key)) return true
    }
    return undefined
  }

  * #upTo (anchor: BlockMeta): Generator<BlockMeta> {
    let meta: BlockMeta | undefined = anchor
    for (let i = 0; i < this.#params.minerCountBlocks && meta !== undefined && meta.height > 0; i++, meta = meta.parent) yield meta
  }

  #isTold (meta: BlockMeta): boolean { return this.#chain.get(meta.hash)?.checked === 'ledger' }

  /** Undefined while the body is not here. */
  #minersOf (meta: BlockMeta): Miners | undefined {
    let miners = this.#known.get(meta)
    if (miners === undefined) {
      const body = this.#chain.get(meta.hash)?.body
      if (body === undefined) return undefined
      const sealed = body.seals.flatMap(({ seal }) => seal.contributions.map(c => toHex(c.template.miner)))
      miners = { maker: toHex(meta.header.template.miner), sealed: sealed.length === 0 ? NOBODY : new Set(sealed) }
      this.#known.set(meta, miners)
      if (this.#known.size > WINDOWS_KNOWN * this.#params.minerCountBlocks) this.#known.delete(this.#known.keys().next().value!)
    }
    return miners
  }
}
