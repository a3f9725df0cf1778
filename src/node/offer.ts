/**
 * What a member holds of a seal that was offered, and when its turn is. Whoever is first in a round decides what is
 * sealed and when, so what no honest proposer would have made gives the next ones their turn first. Policy, not
 * consensus: once it has its signatures, such a seal is a seal.
 */
import { compareBytes, equalBytes, toHex } from '../core/codec/ssz.ts'
import type { Proposal, Seal } from '../core/codec/wire.ts'
import type { BlockMeta, HeaderMeta } from '../core/consensus/chain.ts'
import { nextRound } from '../core/consensus/seal.ts'
import { type ChainParams, MAX_CONTRIBUTIONS_PER_SEAL } from '../core/params.ts'
import type { PeerId } from '../ports/network.ts'
import { sliceName } from './contributions.ts'
import type { Hex } from './parts.ts'
import type { RoundTip } from './rounds.ts'

/** Part of a round in which what one neighbour hears all others hear: no offer is signed before, one's own neither. */
export const SETTLE_SHARE = 1 / 16
/**
 * What came in the last part of a round before a turn need not be in its offer: the proposer may not have had it. And
 * clocks may differ by as much: an offer is signed so much before its turn at the earliest, when all that it must hold is here.
 */
export const LATE_SHARE = 1 / 4
/** Turns that others have before one counts that no honest proposer would have made. */
export const ODD_TURNS = 2

export interface Offer {
  readonly name: Hex
  readonly hash: Uint8Array
  readonly seal: Seal
  readonly vouches: Proposal['vouches']
  readonly anchor: BlockMeta
  readonly members: readonly Uint8Array[]
  readonly order: readonly Uint8Array[]
  /** Who offered it first, and that peer. */
  readonly proposer: Uint8Array
  readonly origin?: PeerId
  readonly via?: PeerId
  /** From when on it may be signed, by this node's clock: what is offered at the same time must have time to meet. */
  readonly settledAt: number
  /** Whether it leaves out much of what this node would have offered, in the turn for which that was found. */
  thin?: { readonly turn: number, readonly isThin: boolean }
  /** When it was last offered or signed. */
  at: number
  /** Each who offered it, and when he did so first and last. */
  readonly said: Map<Hex, { readonly firstAt: number, readonly lastAt: number }>
  /** Signature by index of the member. */
  readonly votes: Map<number, Uint8Array>
  /** right: recomputed here. wrong: it does not lead where it says. */
  judged: 'no' | 'running' | 'right' | 'wrong'
  /** What it takes could not be had: not to be looked at again before this. */
  judgeAt: number
  sealed: boolean
}

export const seatOf = (offer: Offer, key: Uint8Array): number => offer.members.findIndex(m => equalBytes(m, key))
export const isOn = (seal: Seal, tip: RoundTip): boolean => seal.round === nextRound(tip.job) && equalBytes(seal.previous, tip.seal)
/** For one such there is one seal. */
export const voteKey = (job: Uint8Array, round: number, previous: Uint8Array): string => `${toHex(job)}/${round}/${toHex(previous)}`
export const twiceKey = ({ job, round, previous }: Seal, member: Hex): string => `${voteKey(job, round, previous)}/${member}`

/**
 * More than a quarter of `mine`, the slices (sliceName) of which this node would have offered contributions: what is not sealed is lost
 * to whoever made it. A full one may leave out any number. By slices, for a miner may show others another contribution.
 */
export function leavesOut ({ contributions }: Seal, mine: readonly string[]): boolean {
  if (contributions.length === MAX_CONTRIBUTIONS_PER_SEAL) return false
  const offered = new Set(contributions.map(sliceName))
  return mine.filter(name => !offered.has(name)).length * 4 > mine.length
}

/**
 * Of a committee that this node would not have taken since the round began: who is first hangs on the anchor, and
 * could be chosen by it.
 */
function isFarFrom ({ rhoDelay }: ChainParams, head: HeaderMeta, { anchor }: Offer, tip: RoundTip): boolean {
  const anchorAt = (height: number): number => Math.max(height - rhoDelay, tip.anchorHeight)
  return anchor.height < anchorAt(Math.min(tip.sinceHeight, head.height)) || anchor.height > anchorAt(head.height)
}

const placeOf = (offer: Offer, member: Hex): number => offer.order.findIndex(m => toHex(m) === member)

/** The first turn (0, 1, ...) of those who offered it. */
export const firstTurn = (offer: Offer): number => Math.min(...[...offer.said.keys()].map(member => placeOf(offer, member)))

/**
 * The first turn in which it may be signed: that of the first in order of those who offered it, later if it is thin or
 * far, or if he said two things at once. What most members have signed is not held up.
 */
export function turnOf (params: ChainParams, head: HeaderMeta, offer: Offer, tip: RoundTip, isThin: boolean, saidTwo: (member: Hex) => boolean): number {
  if (offer.votes.size * 2 > offer.members.length) return firstTurn(offer)
  const isOdd = isThin || isFarFrom(params, head, offer, tip)
  return Math.min(...[...offer.said.keys()].map(member => placeOf(offer, member) + (isOdd || saidTwo(member) ? ODD_TURNS : 0)))
}

/** The better first: what most have signed, else members who are free to sign again would scatter; and of two that meet all take the same. */
export const byWorth = (a: Offer, b: Offer): number =>
  b.votes.size - a.votes.size || b.seal.contributions.length - a.seal.contributions.length || compareBytes(a.hash, b.hash)
