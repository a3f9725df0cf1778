/** Miners with a record: those whose contributions recent blocks have sealed. */
import { toHex } from '../core/codec/ssz.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import type { ChainService, Hex } from './parts.ts'

export class Records {
  readonly #params: Pick<ChainParams, 'minerCountBlocks'>
  readonly #chain: Pick<ChainService, 'get'>
  readonly #byAnchor = new WeakMap<BlockMeta, ReadonlySet<Hex>>()

  constructor (params: Pick<ChainParams, 'minerCountBlocks'>, chain: Pick<ChainService, 'get'>) {
    this.#params = params
    this.#chain = chain
  }

  /** Looks at the blocks up to the anchor, so that everyone who has their bodies says the same. */
  has (anchor: BlockMeta, miner: Uint8Array): boolean {
    let known = this.#byAnchor.get(anchor)
    if (known === undefined) {
      known = this.#collect(anchor)
      this.#byAnchor.set(anchor, known)
    }
    return known.has(toHex(miner))
  }

  #collect (anchor: BlockMeta): Set<Hex> {
    const miners = new Set<Hex>()
    let meta: BlockMeta | undefined = anchor
    for (let i = 0; i < this.#params.minerCountBlocks && meta !== undefined; i++, meta = meta.parent) {
      for (const { seal } of this.#chain.get(meta.hash)?.body.seals ?? []) {
        for (const claim of seal.contributions) miners.add(toHex(claim.template.miner))
      }
    }
    return miners
  }
}
