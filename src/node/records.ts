/** Miners with a record: what recent blocks tell of them. */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { Body } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import type { ChainService, Hex } from './parts.ts'

export class Records {
  readonly #params: Pick<ChainParams, 'minerCountBlocks'>
  readonly #chain: Pick<ChainService, 'get'>
  readonly #sealedBy = new WeakMap<Body, ReadonlySet<Hex>>()

  constructor (params: Pick<ChainParams, 'minerCountBlocks'>, chain: Pick<ChainService, 'get'>) {
    this.#params = params
    this.#chain = chain
  }

  /** Whether a contribution of this miner was sealed in the blocks up to the anchor: everyone who has their bodies says the same. */
  has (anchor: BlockMeta, miner: Uint8Array): boolean {
    const key = toHex(miner)
    for (const meta of this.#upTo(anchor)) {
      const body = this.#chain.get(meta.hash)?.body
      if (body !== undefined && this.#minersOf(body).has(key)) return true
    }
    return false
  }

  /**
   * Whether one of these blocks is this miner's own, or seals a contribution of his: either has cost him a
   * slice that others redid. Undefined where not all of the bodies are here and the rest does not show it.
   */
  standing (parent: BlockMeta, miner: Uint8Array): boolean | undefined {
    let whole = true
    for (const meta of this.#upTo(parent)) {
      if (equalBytes(meta.header.template.miner, miner)) return true
      whole &&= this.#chain.get(meta.hash) !== undefined
    }
    return this.has(parent, miner) || (whole ? false : undefined)
  }

  * #upTo (anchor: BlockMeta): Generator<BlockMeta> {
    let meta: BlockMeta | undefined = anchor
    for (let i = 0; i < this.#params.minerCountBlocks && meta !== undefined && meta.height > 0; i++, meta = meta.parent) yield meta
  }

  #minersOf (body: Body): ReadonlySet<Hex> {
    let miners = this.#sealedBy.get(body)
    if (miners === undefined) {
      miners = new Set(body.seals.flatMap(({ seal }) => seal.contributions.map(c => toHex(c.template.miner))))
      this.#sealedBy.set(body, miners)
    }
    return miners
  }
}
