/** What members sign, held against what they have signed before: for one round one seal, until it has found no quorum for long (docs/protocol.md, 14). */
import { toHex } from '../../src/core/codec/ssz.ts'
import type { Proposal, SealVote } from '../../src/core/codec/wire.ts'
import { sealHash } from '../../src/core/crypto/ids.ts'
import { Lru } from '../../src/node/lru.ts'

/** Rounds' times after which another may be signed. */
const HOLD_ROUNDS = 3
const ROUNDS_KEPT = 10_000

interface Signed { readonly seal: string, readonly atMs: number }

export class Votes {
  readonly #holdMs: number
  /** Of each seal that was offered, its round: job, number, and the seal before. */
  readonly #roundOf = new Lru<string>(ROUNDS_KEPT)
  /** By page load and round. */
  readonly #signed = new Lru<Signed>(ROUNDS_KEPT)

  constructor (roundMs: number) { this.#holdMs = HOLD_ROUNDS * roundMs }

  offered ({ seal }: Pick<Proposal, 'seal'>): void {
    this.#roundOf.set(toHex(sealHash(seal)), `${toHex(seal.job)}/${seal.round}/${toHex(seal.previous)}`)
  }

  /** How long ago it signed another seal for that round, ms, where that is too little. */
  signed (load: string, vote: Pick<SealVote, 'sealHash'>, nowMs: number): number | undefined {
    const seal = toHex(vote.sealHash)
    const round = this.#roundOf.get(seal)
    if (round === undefined) return undefined
    const key = `${load}/${round}`
    const before = this.#signed.get(key)
    // What it has signed already is said again.
    if (before?.seal === seal) return undefined
    this.#signed.set(key, { seal, atMs: nowMs })
    return before !== undefined && nowMs - before.atMs < this.#holdMs ? nowMs - before.atMs : undefined
  }
}
