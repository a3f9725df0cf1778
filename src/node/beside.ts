/** What was taken on trust while a chain is followed that may not lead: beside our own it is of no use to anybody once it is not followed any more. */
import type { PeerId } from '../ports/network.ts'
import type { Chain } from './chain.ts'

export class Beside {
  readonly #chain: Pick<Chain, 'distrust' | 'isMain'>
  /** Lowest block of it, and who shows it. */
  #lowest: { readonly hash: Uint8Array, readonly peer: PeerId } | undefined

  constructor (chain: Pick<Chain, 'distrust' | 'isMain'>) { this.#chain = chain }

  took (hash: Uint8Array, peer: PeerId): void { this.#lowest ??= { hash, peer } }

  /** A peer's chain is followed next, perhaps the same. */
  follow (peer: PeerId): void { if (this.#lowest?.peer !== peer) this.leave() }

  /** Whatever became of it: what is ours by now stays. */
  leave (): void {
    if (this.#lowest !== undefined && !this.#chain.isMain(this.#lowest.hash)) this.#chain.distrust(this.#lowest.hash)
    this.#lowest = undefined
  }
}
