/**
 * Contributions to the newest round of each job that are not sealed yet, and the vouches that came
 * for them. A contribution is taken in once its rules, its signature and its payload are in order;
 * whether it was computed right, the members drawn for it find out.
 *
 * Bounded: twice what a seal can carry per job, and one per slice of a miner. Where there is no room,
 * the peer that brought the most makes it, once the newcomer's payload is here and not before; what has
 * been found wrong or has grown too old to be sealed keeps no place.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { Claim, Vouch } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { checkContribution, contributionSignatureItem, isAged } from '../core/consensus/contribution.ts'
import { claimId, vouchMessage } from '../core/crypto/ids.ts'
import { isEnded } from '../core/ledger/state.ts'
import { type ChainParams, MAX_CONTRIBUTION_SLICES, MAX_CONTRIBUTIONS_PER_SEAL } from '../core/params.ts'
import { decodePayload } from '../core/training/payload.ts'
import { lr20At } from '../core/training/schedule.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId, Verdict } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import { anchorOn, committeesAround, maySit, RENEW_BLOCKS } from './duties.ts'
import { Lru } from './lru.ts'
import { eachTime, type Once } from './once.ts'
import type { Blame, ChainService, Hex, Log, PayloadService } from './parts.ts'
import { isProof } from './proof.ts'
import type { Rounds, RoundTip } from './rounds.ts'
import { Waiters } from './waiters.ts'
import type { From } from './workTopics.ts'

export const CONTRIBUTIONS_PER_JOB = 2 * MAX_CONTRIBUTIONS_PER_SEAL
/** Contributions to one round that one peer may bring: a tab has S_MAX of its own. */
export const CONTRIBUTIONS_PER_ORIGIN = 2 * MAX_CONTRIBUTION_SLICES
/** Of one peer's, those whose payloads are on their way: as many as there is room for. */
export const COMING_PER_PEER = CONTRIBUTIONS_PER_JOB
/** Vouches kept for one contribution. */
const VOUCHES_KEPT = 8
/** What is said of a round may be this far ahead of what it refers to, ms. */
export const AHEAD_MS = 2_000
/** The payload must come while the gossip validator may still answer. */
const PAYLOAD_MS = 4_500
const WAITERS = 128
/** Contributions of past rounds whose vouchers are remembered. */
const VOUCHERS_KEPT = 1024

export interface Candidate {
  readonly id: Uint8Array
  readonly name: Hex
  readonly claim: Claim
  readonly receivedAt: number
  /** Undefined: this node's own. */
  readonly from?: From
  /** What this node found by replaying it. */
  verdict: 'unknown' | 'right' | 'wrong'
  readonly vouches: Map<Hex, HeardVouch>
}

/** A vouch, and when this node heard it (its own clock, ms). */
export type HeardVouch = Vouch & { readonly at: number }

/** Who a contribution is from: names of authors are free, links are not. */
const WAYS = ['origin', 'via'] as const
type Way = typeof WAYS[number]

/** How many slots one peer made, or handed over. */
interface Tally { n: number }

/** How many slots each peer has, and how many the one with the most: who has less than is asked for need not be looked for. */
class Tallies {
  readonly #of = new Map<PeerId, Tally>()
  /** How many peers have so many. */
  readonly #with: number[] = [0]
  #most = 0

  /** That of the peer with the most. */
  get most (): number { return this.#most }
  of (peer: PeerId): number { return this.#of.get(peer)?.n ?? 0 }

  more (peer: PeerId): Tally {
    const tally = this.#of.get(peer) ?? { n: 0 }
    this.#of.set(peer, tally)
    if (tally.n > 0) this.#with[tally.n]--
    tally.n++
    this.#with[tally.n] = (this.#with[tally.n] ?? 0) + 1
    this.#most = Math.max(this.#most, tally.n)
    return tally
  }

  less (peer: PeerId, tally: Tally): void {
    this.#with[tally.n]--
    tally.n--
    if (tally.n > 0) this.#with[tally.n]++
    else this.#of.delete(peer)
    while (this.#most > 0 && this.#with[this.#most] === 0) this.#most--
  }
}

interface Slot {
  readonly slice: string
  readonly candidate: Candidate
  /** Shared by all slots of the same peer; none for this node's own. */
  readonly tallies?: Readonly<Record<Way, Tally>>
}

/** Slots by `miner/slice`, and how many of them each peer made, or handed over. */
class Slots {
  readonly #slots = new Map<string, Slot>()
  readonly #tallies: Readonly<Record<Way, Tallies>> = { origin: new Tallies(), via: new Tallies() }

  get size (): number { return this.#slots.size }
  has (slice: string): boolean { return this.#slots.has(slice) }
  get (slice: string): Candidate | undefined { return this.#slots.get(slice)?.candidate }
  by (way: Way, peer: PeerId): number { return this.#tallies[way].of(peer) }

  set (candidate: Candidate): void {
    const slice = sliceName(candidate.claim)
    this.delete(slice)
    const { from } = candidate
    this.#slots.set(slice, { slice, candidate, tallies: from && { origin: this.#tallies.origin.more(from.origin), via: this.#tallies.via.more(from.via) } })
  }

  delete (slice: string): void {
    const slot = this.#slots.get(slice)
    if (slot === undefined) return
    this.#slots.delete(slice)
    const { candidate: { from }, tallies } = slot
    for (const way of WAYS) if (tallies !== undefined && from !== undefined) this.#tallies[way].less(from[way], tallies[way])
  }

  /** The newest unvouched one of the peer that has the most, if that is at least `least`. */
  greediest (way: Way, least: number): string | undefined {
    if (this.#tallies[way].most < least) return undefined
    let most = least
    let greediest: string | undefined
    for (const { candidate, slice, tallies } of this.#slots.values()) {
      if (tallies === undefined || tallies[way].n < most || candidate.vouches.size > 0) continue
      most = tallies[way].n
      greediest = slice
    }
    return greediest
  }
}

/** Why there is no place for a contribution. */
type NoPlace = 'known' | 'duplicate slice' | 'full'

/** What became of a message, and why it was not taken. */
export interface Taken { readonly verdict: Verdict, readonly reason?: string }

export interface ContributionsDeps {
  readonly params: ChainParams
  readonly chain: Pick<ChainService, 'head' | 'on'>
  readonly rounds: Pick<Rounds, 'tip' | 'tips' | 'onTip'>
  readonly payloads: Pick<PayloadService, 'fetchOffered'>
  readonly signatures: Signatures
  readonly blame: Blame
  readonly clock: Clock
  readonly log: Log
  /** Told of every claim that is signed by its miner, taken or not. */
  readonly onSigned?: (claim: Claim) => void
  readonly once?: Once
}

const short = (bytes: Uint8Array): string => toHex(bytes).slice(0, 16)
const UNKNOWN = 'vouch for an unknown contribution'
const ignore = (reason: string): Taken => ({ verdict: 'ignore', reason })

export class Contributions {
  readonly #d: ContributionsDeps
  readonly #jobs = new Map<Hex, Map<Hex, Candidate>>()
  /** Slices of a job's round that are taken, by `miner/slice`. */
  readonly #slices = new Map<Hex, Slots>()
  /** By name and who brought them, those whose payloads are on their way: they have no place yet, and take none from others. */
  readonly #coming = new Map<Hex, From & { readonly job: Hex }>()
  readonly #vouchers = new Lru<Hex[]>(VOUCHERS_KEPT)
  readonly #listeners = new Set<(job: Uint8Array) => void>()
  readonly #waiters: Waiters
  #undo: Array<() => void> = []

  constructor (d: ContributionsDeps) {
    this.#d = d
    this.#waiters = new Waiters(d.clock, WAITERS)
  }

  start (): void {
    const { chain, rounds } = this.#d
    this.#undo.push(
      rounds.onTip(tip => {
        this.#dropStale(tip)
        this.#waiters.wake()
      }),
      chain.on('head', ({ head }) => {
        const tips = rounds.tips()
        for (const tip of tips) this.#dropAged(tip, head)
        this.#dropGone(new Set(tips.map(tip => toHex(tip.job.id))))
      }))
  }

  stop (): void { for (const undo of this.#undo.splice(0)) undo() }

  /** Called when a job's contributions or their vouches became more. */
  onChange (listener: (job: Uint8Array) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** In the order they came. */
  pending (job: Uint8Array): Candidate[] { return [...this.#jobs.get(toHex(job))?.values() ?? []] }

  find (job: Uint8Array, contribution: Uint8Array): Candidate | undefined {
    return this.#jobs.get(toHex(job))?.get(toHex(contribution))
  }

  /** This node's own: its rules hold by making, its payload is stored. */
  addOwn (claim: Claim): boolean {
    const tip = this.#d.rounds.tip(claim.template.job)
    if (tip === undefined || !isOn(claim, tip) || checkContribution(this.#d.params, this.#d.chain.head(), claim, worked(tip)) !== undefined) return false
    const id = claimId(claim)
    if (this.#noPlace(claim, toHex(id)) !== undefined) return false
    this.#insert(claim, id, 'right')
    return true
  }

  /** From gossip. */
  async take (claim: Claim, from: From): Promise<Taken> {
    const { template } = claim
    const { chain, rounds, blame } = this.#d
    if (blame.isBannedMiner(template.miner)) return ignore('banned miner')
    const first = rounds.tip(template.job)
    if (first === undefined || isEnded(first.job)) return ignore('unknown job')
    if (template.round < first.round) return ignore('stale round')
    if (template.round > first.round + 2) return ignore('round from the future')
    await this.#waiters.until(() => { const t = rounds.tip(template.job); return t === undefined || t.round >= template.round }, AHEAD_MS, from.via)
    const tip = rounds.tip(template.job)
    if (tip === undefined || !isOn(claim, tip)) return ignore(tip !== undefined && template.round < tip.round ? 'stale round' : 'another seal of this round')
    const wrong = checkContribution(this.#d.params, chain.head(), claim, worked(tip))
    if (wrong !== undefined) {
      if (!isProof(wrong)) return ignore(wrong.reason)
      return this.#reject(wrong.reason, wrong.detail, from.via, false)
    }
    const id = claimId(claim)
    const name = toHex(id)
    const early = this.#noPlace(claim, name, from)
    if (early === 'known' || early === 'full') return this.#passedOver(early, claim)
    // Nothing is said of the miner, nor done for him, before it is known to be his.
    const [valid] = await this.#d.signatures.verify([contributionSignatureItem(claim)])
    if (!valid) return this.#reject('contribution-signature', `contribution ${short(id)}`, from.via, true)
    this.#d.onSigned?.(claim)
    const late = this.#noPlace(claim, name, from)
    if (late !== undefined) return this.#passedOver(late, claim)
    return await this.#takePayload(claim, id, tip, from)
  }

  /** A member's word for a contribution; only a member's counts, and only for what is here. */
  async vouch (v: Vouch, from?: From): Promise<Taken> {
    const { params, chain, signatures } = this.#d
    const early = this.#uncounted(v)
    // Places to wait in are few: for what a member has signed, as far as can be told.
    const mayWait = early === UNKNOWN && from !== undefined && maySit(params, chain.head(), v.member)
    if (early !== undefined && !mayWait) return ignore(early)
    const [valid] = await signatures.verify([{ key: v.member, message: vouchMessage(v), signature: v.signature }])
    if (!valid) return this.#reject('vouch-signature', `vouch for ${short(v.contribution)}`, from?.via, true)
    if (from !== undefined) await this.#waiters.until(() => this.find(v.job, v.contribution) !== undefined, PAYLOAD_MS, from.via)
    const late = this.#uncounted(v)
    if (late !== undefined) return ignore(late)
    const candidate = this.find(v.job, v.contribution)!
    // In a round that stands for long the first ones are of members that have left.
    if (candidate.vouches.size >= VOUCHES_KEPT) candidate.vouches.delete(candidate.vouches.keys().next().value!)
    candidate.vouches.set(toHex(v.member), { ...v, at: this.#d.clock.now() })
    this.changed(v.job)
    return { verdict: 'accept' }
  }

  /** Why a vouch counts for nothing as things are. */
  #uncounted (v: Vouch): string | undefined {
    const { params, chain, rounds } = this.#d
    const candidate = this.find(v.job, v.contribution)
    const tip = rounds.tip(v.job)
    if (candidate === undefined || tip === undefined) return UNKNOWN
    if (candidate.vouches.has(toHex(v.member))) return 'vouched already'
    const anchor = anchorOn(params, chain.head(), tip.anchorHeight)
    const committees = anchor === undefined ? [] : committeesAround(params, anchor)
    return committees.some(members => members.some(m => equalBytes(m, v.member))) ? undefined : 'vouch of no member'
  }

  /** Keys (hex) that vouched for a contribution, also after it was sealed. */
  vouchersOf (contribution: Uint8Array): Hex[] { return this.#vouchers.get(toHex(contribution)) ?? [] }

  rememberVouchers (contribution: Uint8Array, keys: Iterable<Hex>): void {
    this.#vouchers.set(toHex(contribution), [...new Set([...this.vouchersOf(contribution), ...keys])])
  }

  /** It was found wrong, or can be sealed no more: its place is free again. */
  drop (job: Uint8Array, contribution: Uint8Array): void {
    const name = toHex(contribution)
    const candidate = this.#jobs.get(toHex(job))?.get(name)
    if (candidate === undefined) return
    this.#jobs.get(toHex(job))?.delete(name)
    this.#slices.get(toHex(job))?.delete(sliceName(candidate.claim))
  }

  async #takePayload (claim: Claim, id: Uint8Array, tip: RoundTip, from: From): Promise<Taken> {
    const { job, round } = claim.template
    const name = toHex(id)
    this.#coming.set(comingName(name, from), { ...from, job: toHex(job) })
    const arrived = this.#d.payloads.fetchOffered(claim.payloadDigest, claim.payloadBytes, { job, round }, from.via).finally(() => { this.#coming.delete(comingName(name, from)) })
    const finish = arrived.then((bytes): Taken => {
      if (bytes === undefined) return ignore('payload unavailable')
      const lr20 = lr20At(tip.spec, round)
      const payload = (this.#d.once ?? eachTime)('payload', [bytes, tip.spec, lr20], () => decodePayload(tip.spec, lr20, bytes))
      if (!payload.ok) {
        // The miner signed for these bytes, and whoever forwarded them has looked at them.
        this.#d.blame.refuse({ what: 'contribution', reason: 'bad payload', detail: payload.error.detail, miner: toHex(claim.template.miner), fatal: true })
        return this.#reject('bad payload', payload.error.detail, from.via, true)
      }
      const now = this.#d.rounds.tip(job)
      if (now === undefined || !isOn(claim, now)) return ignore('stale round')
      const noPlace = this.#noPlace(claim, name, from)
      if (noPlace !== undefined) return this.#passedOver(noPlace, claim)
      this.#insert(claim, id, 'unknown', from)
      return { verdict: 'accept' }
    })
    // A payload that comes too late to vouch for the message may still be in time for the seal.
    let cancel = (): void => {}
    const late = new Promise<Taken>(resolve => { cancel = this.#d.clock.after(PAYLOAD_MS, () => { resolve(ignore('payload unavailable')) }) })
    return await Promise.race([finish, late]).finally(cancel)
  }

  /** Whoever stands where it belongs goes. */
  #insert (claim: Claim, id: Uint8Array, verdict: Candidate['verdict'], from?: From): void {
    const { job } = claim.template
    const name = toHex(id)
    const pool = this.#jobs.get(toHex(job)) ?? new Map<Hex, Candidate>()
    this.#jobs.set(toHex(job), pool)
    const slots = this.#slots(toHex(job))
    const slice = sliceName(claim)
    const isOver = from !== undefined && !slots.has(slice) && slots.size >= CONTRIBUTIONS_PER_JOB
    const leaving = isOver ? this.#greediest(toHex(job), from) : slice
    const left = leaving === undefined ? undefined : slots.get(leaving)
    if (leaving !== undefined && left !== undefined) {
      slots.delete(leaving)
      pool.delete(left.name)
    }
    const candidate: Candidate = { id, name, claim, receivedAt: this.#d.clock.now(), from, verdict, vouches: new Map() }
    slots.set(candidate)
    pool.set(name, candidate)
    this.#waiters.wake()
    this.changed(job)
  }

  #slots (job: Hex): Slots {
    const slots = this.#slices.get(job) ?? new Slots()
    this.#slices.set(job, slots)
    return slots
  }

  /** Undefined: it has a place, or one can be made. */
  #noPlace (claim: Claim, name: Hex, from?: From): NoPlace | undefined {
    const job = toHex(claim.template.job)
    const slots = this.#slots(job)
    const holder = slots.get(sliceName(claim))
    // Another one who brings it may have what the first one withholds.
    if (holder?.name === name || (from !== undefined && this.#coming.has(comingName(name, from)))) return 'known'
    if (holder !== undefined && claim.template.height < holder.claim.template.height + RENEW_BLOCKS) return 'duplicate slice'
    // A node's own are bounded by the slices of a round: no stranger keeps them out.
    if (from === undefined) return undefined
    let ofPeer = 0
    let ofOrigin = slots.by('origin', from.origin) - (holder?.from?.origin === from.origin ? 1 : 0)
    for (const c of this.#coming.values()) {
      if (c.via === from.via) ofPeer++
      if (c.job === job && c.origin === from.origin) ofOrigin++
    }
    if (ofPeer >= COMING_PER_PEER || ofOrigin >= CONTRIBUTIONS_PER_ORIGIN) return 'full'
    return holder !== undefined || slots.size < CONTRIBUTIONS_PER_JOB || this.#greediest(job, from) !== undefined ? undefined : 'full'
  }

  /**
   * The newest unvouched one of the peer that made the most may go, if that peer has no less than the newcomer's
   * then; or, where each name has made few, of the peer that handed over the most.
   */
  #greediest (job: Hex, newcomer: From): string | undefined {
    const slots = this.#slots(job)
    for (const way of WAYS) {
      const greediest = slots.greediest(way, slots.by(way, newcomer[way]) + 2)
      if (greediest !== undefined) return greediest
    }
    return undefined
  }

  #passedOver (why: NoPlace, claim: Claim): Taken {
    if (why === 'duplicate slice') {
      // Who forwarded it may have seen only this one of the two: the miner is named, not the peer.
      const detail = `slice ${claim.slice} of round ${claim.template.round} twice by ${short(claim.template.miner)}`
      this.#d.blame.refuse({ what: 'contribution', reason: 'duplicate slice', detail, miner: toHex(claim.template.miner), fatal: false })
    }
    return ignore(why === 'full' ? 'too many contributions' : why)
  }

  #reject (reason: string, detail: string, peer: PeerId | undefined, fatal: boolean): Taken {
    this.#d.blame.refuse({ what: 'contribution', reason, detail, peer, fatal })
    return { verdict: 'reject', reason }
  }

  #dropStale (tip: RoundTip): void {
    const job = toHex(tip.job.id)
    const pool = this.#jobs.get(job)
    for (const [name, c] of pool ?? []) {
      if (isOn(c.claim, tip)) continue
      pool?.delete(name)
      if (c.vouches.size > 0) this.rememberVouchers(c.id, c.vouches.keys())
    }
    // Those whose payloads are on their way find out at the end.
    const slots = new Slots()
    for (const candidate of pool?.values() ?? []) slots.set(candidate)
    this.#slices.set(job, slots)
    if (isEnded(tip.job)) {
      this.#jobs.delete(job)
      this.#slices.delete(job)
    }
  }

  /** Jobs that have left with their branch are spoken of no more. */
  #dropGone (jobs: ReadonlySet<Hex>): void {
    for (const of of [this.#jobs, this.#slices]) for (const job of of.keys()) if (!jobs.has(job)) of.delete(job)
  }

  /** Anchors do not go back: what is too old under this one is too old for every seal to come. */
  #dropAged (tip: RoundTip, head: BlockMeta): void {
    const { params } = this.#d
    const anchor = anchorOn(params, head, tip.anchorHeight)
    if (anchor === undefined) return
    for (const { claim, id } of this.pending(tip.job.id)) {
      if (isAged(params, claim.template.height, anchor.height)) this.drop(tip.job.id, id)
    }
  }

  /** Tells the listeners. */
  changed (job: Uint8Array): void { for (const listener of this.#listeners) listener(job) }
}

export const sliceName = (claim: Claim): string => `${toHex(claim.template.miner)}/${claim.slice}`
const comingName = (name: Hex, from: From): string => `${name}/${from.via}`
const isOn = (claim: Claim, tip: RoundTip): boolean => claim.template.round === tip.round && equalBytes(claim.template.seal, tip.seal)
/** What a contribution to the next round must start from. */
export const worked = (tip: RoundTip): Parameters<typeof checkContribution>[3] =>
  ({ job: tip.job.id, round: tip.round, seal: tip.seal, stateHash: tip.stateHash, spec: tip.spec })
