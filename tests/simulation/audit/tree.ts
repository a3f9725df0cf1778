/** A block in the tree of all that were ever held. */
import type { Hex } from './bytes.ts'
import type { Ledger } from './ledger.ts'
import type { Block, Claim } from './wire.ts'

export interface Entry {
  readonly id: Hex
  readonly hash: Uint8Array
  readonly height: number
  readonly header: Claim
  /** Absent of genesis. */
  readonly parent?: Entry
  readonly block?: Block
  readonly rho: Uint8Array
  readonly ticket: Uint8Array
  /** Of this block and all before it. */
  readonly work: bigint
  /** After this block. */
  readonly ledger: Ledger
  /** A rule was broken in its body: what the ledger is after it nobody can say. */
  readonly broken: boolean
}
