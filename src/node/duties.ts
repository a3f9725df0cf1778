/**
 * Who of a committee does what, computed the same by everyone: which member replays a contribution
 * before it is sealed and which after, who proposes a seal and who is next if it sleeps. Policy, not consensus: a seal that was made out
 * of turn is still a seal.
 */
import { compareBytes, equalBytes } from '../core/codec/ssz.ts'
import type { Claim } from '../core/codec/wire.ts'
import { ancestor, type BlockMeta, type HeaderMeta } from '../core/consensus/chain.ts'
import { committee } from '../core/consensus/committee.ts'
import { hash, u32le } from '../core/crypto/hash.ts'
import type { ChainParams } from '../core/params.ts'

/** A draw at one anchor still counts at this many blocks later: the chain moves while one replays. */
export const DRAW_BLOCKS = 4

/**
 * Blocks after which a miner may work a slice of an unsealed round again, and the new contribution
 * takes the old one's place: the old one's draw ages, and without this a round whose contributions
 * were lost (a lone tab that was reloaded) could never be sealed.
 */
export const RENEW_BLOCKS = 3

/** Keys in the order of their scores, lowest first: one key more or less moves nobody else's rank. */
function ranked (keys: readonly Uint8Array[], score: (key: Uint8Array) => Uint8Array): Uint8Array[] {
  return keys.map(key => ({ key, score: score(key) })).sort((a, b) => compareBytes(a.score, b.score)).map(s => s.key)
}

/** Those who neither made a contribution nor are paid for it. */
const others = (members: readonly Uint8Array[], { template }: Claim): Uint8Array[] =>
  members.filter(key => !equalBytes(key, template.miner) && !equalBytes(key, template.payee))

/** Lots by committee and contribution: a member looks at all of them at every step. */
const lots = new WeakMap<readonly Uint8Array[], WeakMap<Uint8Array, readonly Uint8Array[]>>()

/** Members by lot for one contribution; whoever made it is among them only while nobody else is. */
export function replayers (members: readonly Uint8Array[], contribution: Uint8Array, claim: Claim): readonly Uint8Array[] {
  const known = lots.get(members) ?? new WeakMap<Uint8Array, readonly Uint8Array[]>()
  lots.set(members, known)
  const before = known.get(contribution)
  if (before !== undefined) return before
  const strangers = others(members, claim)
  const order = ranked(strangers.length > 0 ? strangers : members, key => hash('assign', contribution, key))
  known.set(contribution, order)
  return order
}

/** The second lots, by block and contribution. */
const audits = new WeakMap<HeaderMeta, WeakMap<Uint8Array, readonly Uint8Array[]>>()

/** How many members replay a sealed contribution once more. */
const AUDITORS = 2

/**
 * The second lot, drawn once a block has sealed the contribution. The first one hangs on the
 * contribution's id, because rounds do not wait for blocks, and an id can be ground until a friend is
 * drawn; rho of the block that seals it is known to nobody before.
 */
export function auditors (params: ChainParams, sealedIn: HeaderMeta, contribution: Uint8Array, claim: Claim): readonly Uint8Array[] {
  const known = audits.get(sealedIn) ?? new WeakMap<Uint8Array, readonly Uint8Array[]>()
  audits.set(sealedIn, known)
  const before = known.get(contribution)
  if (before !== undefined) return before
  const drawn = ranked(others(committee(params, sealedIn), claim), key => hash('audit', sealedIn.rho, contribution, key)).slice(0, AUDITORS)
  known.set(contribution, drawn)
  return drawn
}

/** First proposes, the next takes over after a round's time, and so on. */
export function proposers (members: readonly Uint8Array[], anchor: HeaderMeta, job: Uint8Array, round: number): Uint8Array[] {
  return ranked(members, key => hash('propose', anchor.rho, job, u32le(round), key))
}

/** Committee whose seal would outlive a one-block fork; undefined while the chain is too young. */
export function anchorOn (params: ChainParams, head: BlockMeta, anchorHeight: number): BlockMeta | undefined {
  // Anchors of one job never go backwards.
  const height = Math.max(head.height - params.rhoDelay, anchorHeight)
  return height < params.committeeBlocks ? undefined : ancestor(head, height)
}

/** Committees under which a vouch for a seal of this anchor may have been drawn, the anchor's first. */
export function committeesAround (params: ChainParams, anchor: BlockMeta): Array<readonly Uint8Array[]> {
  const found: Array<readonly Uint8Array[]> = []
  for (let m: BlockMeta | undefined = anchor; m !== undefined && found.length < DRAW_BLOCKS; m = m.parent) {
    const members = committee(params, m)
    if (members.length === 0) break
    found.push(members)
  }
  return found
}

/**
 * Whether a key may have a seat, as far as can be told before it is known under which anchor: it made one of the
 * blocks that the committees of all anchors in time are drawn from, up to the head, for others may be further.
 */
export function maySit (params: ChainParams, head: HeaderMeta, key: Uint8Array): boolean {
  let m: HeaderMeta | undefined = head
  for (let i = 0; i < params.anchorAgeMax + params.committeeBlocks && m !== undefined && m.height > 0; i++, m = m.parent) {
    if (equalBytes(m.header.template.miner, key)) return true
  }
  return false
}

/** How many members must vouch: two while the miner has no record, fewer if there are not so many. */
export function vouchesNeeded (members: readonly Uint8Array[], claim: Claim, hasRecord: boolean): number {
  const strangers = others(members, claim).length
  return Math.max(1, Math.min(hasRecord ? 1 : 2, strangers > 0 ? strangers : members.length))
}

/**
 * Whether enough of those drawn have vouched. `reserves`: how many more of the order count because
 * the first ones have had their time.
 */
export function isVouched (committees: ReadonlyArray<readonly Uint8Array[]>, contribution: Uint8Array, claim: Claim, vouchers: readonly Uint8Array[], hasRecord: boolean, reserves: number): boolean {
  if (committees.length === 0) return false
  const needed = vouchesNeeded(committees[0], claim, hasRecord)
  const drawn = committees.flatMap(members => replayers(members, contribution, claim).slice(0, needed + reserves))
  const isFirst = (v: Uint8Array, i: number): boolean => !vouchers.some((x, before) => before < i && equalBytes(x, v))
  return vouchers.filter((v, i) => isFirst(v, i) && drawn.some(d => equalBytes(d, v))).length >= needed
}

/** Those who vouched, by how soon they count: whoever was drawn first in any of the committees comes first. */
export function byLot (committees: ReadonlyArray<readonly Uint8Array[]>, contribution: Uint8Array, claim: Claim, vouchers: readonly Uint8Array[]): readonly Uint8Array[] {
  const orders = committees.map(members => replayers(members, contribution, claim))
  const place = (v: Uint8Array): number => Math.min(...orders.map(order => {
    const at = order.findIndex(d => equalBytes(d, v))
    return at < 0 ? Infinity : at
  }))
  return vouchers.map(v => ({ v, at: place(v) })).filter(x => x.at < Infinity).sort((a, b) => a.at - b.at).map(x => x.v)
}
