/** Miners with a record: what recent blocks tell of them. */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import type { ChainParams } from '../core/params.ts'
import type { ChainService, Hex } from './parts.ts'

/** Forks have windows of their own. */
const WINDOWS_KNOWN = 4

interface Miners { readonly maker: Hex, readonly sealed: ReadonlySet<Hex> }

export class Records {
  readonly #params: Pick<ChainParams, 'minerCountBlocks'>
  readonly #chain: Pick<ChainService, 'get'>
  /** Of the blocks last asked about: what lies behind all windows is not asked for again. */
  readonly #known = new Map<BlockMeta, Miners>()

  constructor (params: Pick<ChainParams, 'minerCountBlocks'>, chain: Pick<ChainService, 'get'>) {
    this.#params = params
    this.#chain = chain
  }

  /** Whether a contribution of this miner was sealed in the blocks up to the anchor: everyone who has their bodies says the same. */
  has (anchor: BlockMeta, miner: Uint8Array): boolean {
    const key = toHex(miner)
    for (const meta of this.#upTo(anchor)) if (this.#minersOf(meta)?.sealed.has(key) === true) return true
    return false
  }

  /**
   * Whether one of these blocks is this miner's own, or seals a contribution of his: either has cost him a
   * slice that others redid. Undefined where not all of the bodies are here and the rest does not show it.
   */
  standing (parent: BlockMeta, miner: Uint8Array): boolean | undefined {
    const key = toHex(miner)
    let whole = true
    for (const meta of this.#upTo(parent)) {
      const miners = this.#minersOf(meta)
      if (miners === undefined) {
        if (equalBytes(meta.header.template.miner, miner)) return true
        whole = false
      } else if (miners.maker === key || miners.sealed.has(key)) return true
    }
    return whole ? false : undefined
  }

  * #upTo (anchor: BlockMeta): Generator<BlockMeta> {
    let meta: BlockMeta | undefined = anchor
    for (let i = 0; i < this.#params.minerCountBlocks && meta !== undefined && meta.height > 0; i++, meta = meta.parent) yield meta
  }

  /** Undefined while the body is not here. */
  #minersOf (meta: BlockMeta): Miners | undefined {
    let miners = this.#known.get(meta)
    if (miners === undefined) {
      const body = this.#chain.get(meta.hash)?.body
      if (body === undefined) return undefined
      miners = { maker: toHex(meta.header.template.miner), sealed: new Set(body.seals.flatMap(({ seal }) => seal.contributions.map(c => toHex(c.template.miner)))) }
      this.#known.set(meta, miners)
      if (this.#known.size > WINDOWS_KNOWN * this.#params.minerCountBlocks) this.#known.delete(this.#known.keys().next().value!)
    }
    return miners
  }
}
