/** What a node has of a chain whose beginning it did not fetch, until it is proved or distrusted. */
import type { HeaderMeta } from '../core/consensus/chain.ts'
import type { Hex } from './parts.ts'
import type { Joined } from './persist.ts'
import type { BlockTree } from './tree.ts'

/** A chain that is gone on from at a fetched ledger and is not proved yet. */
export interface Adopted {
  readonly before: BlockTree
  readonly base: Hex
  /** Height up to which the chain there was before is the same. */
  readonly fork: number
  /** Work that it has to redo to take the place of what lay above the fork. */
  readonly owed: bigint
  readonly below: readonly HeaderMeta[]
  readonly joined: Joined
}

/** Of a block below its ledger. */
export function headerBelow ({ below, fork, before }: Adopted, height: number): HeaderMeta | undefined {
  return height > fork ? below[height - fork - 1] : before.at(height)?.meta
}
