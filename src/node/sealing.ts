/**
 * Making seals: proposals, votes, and the quorum of votes that is a seal. A member signs what it
 * holds and has recomputed, and for one round one seal only; but a seal that found no quorum must
 * not hold a job for ever, so after VOTE_HOLD_ROUNDS it may sign another. Two seals for one round
 * are then possible and the chain decides; they are never the act of one honest proposer.
 */
import { compareBytes, equalBytes, fromHex, toHex, ZERO32 } from '../core/codec/ssz.ts'
import { type Proposal, type Seal, type SealVote, SignedSeal, WORK_PROPOSAL, WORK_SEAL, WORK_VOTE } from '../core/codec/wire.ts'
import { type BlockMeta, isAncestor } from '../core/consensus/chain.ts'
import { committee, quorum } from '../core/consensus/committee.ts'
import { checkContribution, contributionSignatureItem } from '../core/consensus/contribution.ts'
import { checkSeal, nextRound } from '../core/consensus/seal.ts'
import { claimId, proposalMessage, sealHash, vouchMessage } from '../core/crypto/ids.ts'
import { isEnded } from '../core/ledger/state.ts'
import { type ChainParams, HASH_BYTES, MAX_CONTRIBUTIONS_PER_SEAL, MAX_PENDING_SEALS, SIGNATURE_BYTES } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import { AHEAD_MS, type Candidate, type Contributions, sliceName, type Taken, worked } from './contributions.ts'
import { dataFor } from './datasets.ts'
import { byLot, committeesAround, isVouched, maySit, proposers } from './duties.ts'
import { byWorth, firstTurn, isOn, LATE_SHARE, leavesOut, type Offer, seatOf, SETTLE_SHARE, turnOf, twiceKey, voteKey } from './offer.ts'
import { isProof } from './proof.ts'
import { Lru } from './lru.ts'
import type { MinerKey } from './minerKey.ts'
import type { Blame, ChainService, DataService, Hex, Log, StatesService } from './parts.ts'
import type { Records } from './records.ts'
import type { Rounds, RoundTip, SealOutcome } from './rounds.ts'
import { Waiters } from './waiters.ts'
import type { From, WorkPublisher } from './workTopics.ts'

/** Rounds' times after which a member may sign another seal for the same round. */
export const VOTE_HOLD_ROUNDS = 3
/** Rounds' times after it was last offered or signed for which an offer is kept: longer than its votes bind who gave them. */
const OFFER_ROUNDS = 2 * VOTE_HOLD_ROUNDS
/** Offers kept per job: every member may make one, some twice. */
const OFFERS_PER_JOB = 24
const OFFERS_PER_PROPOSER = 3
/** Those that count soonest; two at most are needed. */
const VOUCHES_PER_CONTRIBUTION = 2
const WAITERS = 128
/** Time the proposer has to publish the finished seal before others do it for him. */
const SEAL_ECHO_MS = 600

export interface SealingDeps {
  readonly params: ChainParams
  readonly key: MinerKey
  readonly chain: Pick<ChainService, 'head' | 'get' | 'on'>
  readonly rounds: Pick<Rounds, 'tip' | 'onTip' | 'add' | 'pendingSeal' | 'has'>
  readonly contributions: Pick<Contributions, 'pending' | 'find' | 'vouch' | 'rememberVouchers'>
  readonly records: Records
  readonly states: Pick<StatesService, 'sealState'>
  readonly data: Pick<DataService, 'held' | 'want'>
  readonly signatures: Signatures
  readonly publisher: WorkPublisher
  /** This node is where the others are, and may sign. */
  readonly ready: () => boolean
  readonly blame: Blame
  readonly clock: Clock
  readonly log: Log
}

const short = (bytes: Uint8Array): string => toHex(bytes).slice(0, 16)
const UNKNOWN = 'vote for an unknown seal'
const ignore = (reason: string): Taken => ({ verdict: 'ignore', reason })

export class Sealing {
  readonly #d: SealingDeps
  readonly #offers = new Map<Hex, Map<Hex, Offer>>()
  /** My last vote by job, round and previous seal. */
  readonly #voted = new Lru<{ readonly name: Hex, readonly at: number }>(256)
  /** Who offered two things for one round at once, by that and the member: neither is in his turn. */
  readonly #twice = new Lru<true>(256)
  /** The last turn in which I made an offer, by job. */
  readonly #offered = new Map<Hex, string>()
  /** Seals heard from others. */
  readonly #heard = new Lru<true>(1024)
  readonly #waiters: Waiters
  readonly #proposing = new Set<Hex>()
  #stopped = false
  #undo: Array<() => void> = []

  constructor (d: SealingDeps) {
    this.#d = d
    this.#waiters = new Waiters(d.clock, WAITERS)
  }

  start (): void {
    this.#undo.push(this.#d.rounds.onTip(tip => {
      const name = toHex(tip.job.id)
      for (const [key, offer] of this.#offers.get(name) ?? []) {
        if (isOn(offer.seal, tip)) continue
        if (equalBytes(offer.hash, tip.seal) || this.#d.rounds.pendingSeal(offer.hash) !== undefined) this.#rememberVouchers(offer)
        this.#offers.get(name)?.delete(key)
      }
      this.#waiters.wake()
    }))
    this.#undo.push(this.#d.chain.on('head', () => {
      this.#dropOver()
      this.#waiters.wake()
    }))
  }

  stop (): void {
    this.#stopped = true
    for (const undo of this.#undo.splice(0)) undo()
  }

  /** A proposal from gossip. */
  async takeProposal (p: Proposal, from: From): Promise<Taken> {
    const { params, chain, rounds } = this.#d
    const { seal } = p
    const first = rounds.tip(seal.job)
    if (first === undefined || isEnded(first.job)) return ignore('unknown job')
    if (seal.round < nextRound(first.job)) return ignore('stale round')
    if (seal.round > first.round + 3) return ignore('round from the future')
    await this.#waiters.until(() => { const t = rounds.tip(seal.job); return t === undefined || isOn(seal, t) }, AHEAD_MS, from.via)
    const tip = rounds.tip(seal.job)
    if (tip === undefined || !isOn(seal, tip)) return ignore('proposal for another round')
    const isBelow = (): boolean => { const meta = chain.get(seal.anchor)?.meta; return meta !== undefined && isAncestor(chain.head(), meta) }
    await this.#waiters.until(isBelow, AHEAD_MS, from.via)
    const anchor = chain.get(seal.anchor)?.meta
    if (anchor === undefined || !isBelow()) return ignore('anchor is not on this chain')
    const members = committee(params, anchor)
    if (!members.some(m => equalBytes(m, p.proposer))) return this.#reject('proposer is no member', short(p.proposer), from.via, false)
    if (this.#d.blame.isBannedMiner(p.proposer)) return ignore('of a proposer who cheated')
    this.#forgetOld(toHex(seal.job))
    const known = this.#offers.get(toHex(seal.job))?.get(toHex(sealHash(seal)))
    const saidAt = known?.said.get(toHex(p.proposer))?.lastAt
    // Its proposer has one turn in a round's time or more; copies between are anybody's, and would cost all of us as much.
    if (saidAt !== undefined && this.#d.clock.now() - saidAt < params.roundMs / 2) return ignore('offered already')
    // What has no place costs no look at its signatures.
    if (known === undefined && !this.#hasRoom(p, anchor)) return ignore('too many proposals')
    const refused = await this.#checkProposal(p, tip, members, from.via, known !== undefined)
    if (refused !== undefined) return refused
    for (const vouch of p.vouches) await this.#d.contributions.vouch(vouch, undefined)
    this.#noteTwice(p)
    if (known !== undefined) {
      known.at = this.#d.clock.now()
      known.said.set(toHex(p.proposer), { firstAt: known.said.get(toHex(p.proposer))?.firstAt ?? known.at, lastAt: known.at })
      // Offered again: some votes may have been lost.
      if (this.#d.ready() && this.#isBoundTo(known)) await this.#publishVote(known)
      return { verdict: 'accept' }
    }
    if (!this.#makeRoom(p, anchor)) return ignore('too many proposals')
    const now = rounds.tip(seal.job)
    if (now === undefined || !isOn(seal, now)) return ignore('proposal for another round')
    await this.#keep(this.#offer(seal, p.vouches, p.proposer, anchor, members, from), now)
    return { verdict: 'accept' }
  }

  async takeVote (v: SealVote, from: From): Promise<Taken> {
    const find = (): Offer | undefined => this.#offers.get(toHex(v.job))?.get(toHex(v.sealHash))
    if (this.#d.rounds.pendingSeal(v.sealHash) !== undefined) return ignore('sealed already')
    const known = find()
    // Places to wait in are few: for what a member has signed, as far as can be told.
    if (known === undefined && !maySit(this.#d.params, this.#d.chain.head(), v.member)) return ignore(UNKNOWN)
    const early = known && this.#uncounted(v, known, from.via)
    if (early !== undefined) return early
    const [valid] = await this.#d.signatures.verify([{ key: v.member, message: v.sealHash, signature: v.signature }])
    if (!valid) return this.#reject('vote-signature', `member ${short(v.member)}`, from.via, true)
    await this.#waiters.until(() => find() !== undefined, AHEAD_MS, from.via)
    const offer = find()
    if (offer === undefined) return ignore(UNKNOWN)
    const late = this.#uncounted(v, offer, from.via)
    if (late !== undefined) return late
    offer.votes.set(seatOf(offer, v.member), v.signature)
    offer.at = this.#d.clock.now()
    await this.#assemble(offer)
    return { verdict: 'accept' }
  }

  /** What becomes of a vote that counts for nothing as things are. */
  #uncounted (v: SealVote, offer: Offer, via: PeerId): Taken | undefined {
    const seat = seatOf(offer, v.member)
    if (seat < 0) return this.#reject('voter is no member', short(v.member), via, false)
    return offer.votes.has(seat) ? ignore('voted already') : undefined
  }

  async takeSeal (signed: SignedSeal, from: From): Promise<Taken> {
    const name = toHex(sealHash(signed.seal))
    // Copies go no further, whatever signatures they bring.
    if (this.#heard.has(name) && this.#d.rounds.has(signed.seal)) return ignore('known')
    const outcome = await this.#d.rounds.add(signed, from.via)
    const heard = this.#heard.has(name)
    if (outcome.status === 'added' || outcome.status === 'known') this.#heard.set(name, true)
    switch (outcome.status) {
      case 'added': return { verdict: 'accept' }
      // Known from the votes, and not yet forwarded by this node.
      case 'known': return heard ? ignore('known') : { verdict: 'accept' }
      // Forwarded, because everyone must see the evidence.
      case 'conflict': return { verdict: 'accept', reason: 'two seals for one round' }
      case 'held': return ignore(outcome.refusal.reason)
      case 'refused':
        return isProof(outcome.refusal)
          ? this.#reject(outcome.refusal.reason, outcome.refusal.detail, from.via, true)
          : ignore(outcome.refusal.reason)
      default: return outcome satisfies never
    }
  }

  /** What a member does now for one job: sign what is offered, offer what is due. */
  async step (tip: RoundTip, anchor: BlockMeta, members: readonly Uint8Array[]): Promise<void> {
    if (isEnded(tip.job) || tip.pending.length >= MAX_PENDING_SEALS) return
    this.#forgetOld(toHex(tip.job.id))
    await this.#tryVotes(tip)
    await this.#propose(tip, anchor, members)
  }

  // --- offering

  /** Turns of a round's time each: the first, for the first in order, when an offer can be signed after one such time. */
  #turn (tip: RoundTip, slackMs = 0): number {
    return Math.floor((this.#d.clock.now() - tip.since + slackMs) / this.#d.params.roundMs + SETTLE_SHARE) - 1
  }

  async #propose (tip: RoundTip, anchor: BlockMeta, members: readonly Uint8Array[]): Promise<void> {
    const { key, params } = this.#d
    const job = toHex(tip.job.id)
    const turn = this.#turn(tip)
    if (turn < 0 || this.#proposing.has(job)) return
    const round = nextRound(tip.job)
    const order = proposers(members, anchor, tip.job.id, round)
    if (!equalBytes(order[turn % order.length], key.publicKey)) return
    const thisTurn = `${toHex(tip.seal)}/${round}/${turn}`
    if (this.#offered.get(job) === thisTurn) return
    this.#proposing.add(job)
    try {
      const voted = this.#voted.get(voteKey(tip.job.id, round, tip.seal))
      const held = voted !== undefined && this.#d.clock.now() - voted.at < VOTE_HOLD_ROUNDS * params.roundMs
      const before = voted === undefined ? undefined : this.#offers.get(job)?.get(voted.name)
      if (held && before !== undefined) {
        // What I and perhaps others have signed is offered again; signing anything else would split us.
        this.#offered.set(job, thisTurn)
        before.at = this.#d.clock.now()
        await this.#publishProposal(before)
        await this.#publishVote(before)
        return
      }
      if (held) return
      const offer = await this.#build(tip, anchor, members)
      if (offer === undefined) return
      this.#offered.set(job, thisTurn)
      await this.#publishProposal(offer)
      await this.#keep(offer, tip)
    } finally {
      this.#proposing.delete(job)
    }
  }

  async #build (tip: RoundTip, anchor: BlockMeta, members: readonly Uint8Array[]): Promise<Offer | undefined> {
    const round = nextRound(tip.job)
    const chosen = round === 0 ? [] : this.#choose(tip, anchor)
    if (round === 0 ? !this.#hasData(tip) : chosen.length === 0) return undefined
    const draft: Seal = {
      job: tip.job.id,
      round,
      previous: tip.seal,
      anchor: anchor.hash,
      contributions: chosen.map(c => c.claim),
      stateHash: ZERO32
    }
    const next = await this.#d.states.sealState(tip.spec, { seal: draft, signatures: [] })
    if (next.kind !== 'done') {
      this.#d.log.debug('sealing', `no proposal for round ${round} of ${short(tip.job.id)}: ${next.detail}`)
      return undefined
    }
    const now = this.#d.rounds.tip(tip.job.id)
    if (now === undefined || !isOn(draft, now)) return undefined
    // Of a round that stands for long others may hold only the vouches of older committees.
    const committees = committeesAround(this.#d.params, anchor)
    const vouches = chosen.flatMap(c => {
      const given = [...c.vouches.values()]
      return byLot(committees, c.id, c.claim, given.map(v => v.member)).slice(0, VOUCHES_PER_CONTRIBUTION).map(member => given.find(v => equalBytes(v.member, member))!)
    })
    const offer = this.#offer({ ...draft, stateHash: next.stateHash }, vouches, this.#d.key.publicKey, anchor, members)
    offer.judged = 'right'
    return offer
  }

  /** Contributions that were vouched for by then, each miner's first slices before anyone's later ones, sorted by id. */
  #choose (tip: RoundTip, anchor: BlockMeta, at = this.#d.clock.now()): Candidate[] {
    const { blame, chain, contributions, params } = this.#d
    const committees = committeesAround(params, anchor)
    const head = chain.head()
    // A right one may have grown too old since it came, or its draw may be of a branch that was left: one of
    // those in it and nobody signs the offer.
    const ready = contributions.pending(tip.job.id).filter(c =>
      c.verdict !== 'wrong' && c.receivedAt <= at && !blame.isBannedMiner(c.claim.template.miner) && this.#isVouched(c, committees, anchor, at) &&
      checkContribution(params, head, c.claim, worked(tip), anchor.height) === undefined)
    return ready
      .sort((a, b) => a.claim.slice - b.claim.slice || a.receivedAt - b.receivedAt)
      .slice(0, MAX_CONTRIBUTIONS_PER_SEAL)
      .sort((a, b) => compareBytes(a.id, b.id))
  }

  #isVouched (c: Candidate, committees: ReadonlyArray<readonly Uint8Array[]>, anchor: BlockMeta, at: number, slackMs = 0): boolean {
    const vouchers = [...c.vouches.values()].filter(v => v.at <= at).map(v => v.member)
    const reserves = Math.floor((at - c.receivedAt + slackMs) / this.#d.params.roundMs)
    return isVouched(committees, c.id, c.claim, vouchers, this.#d.records.has(anchor, c.claim.template.miner), reserves)
  }

  #offer (seal: Seal, vouches: Proposal['vouches'], proposer: Uint8Array, anchor: BlockMeta, members: readonly Uint8Array[], from?: From): Offer {
    const hash = sealHash(seal)
    const now = this.#d.clock.now()
    return {
      name: toHex(hash), hash, seal, vouches, anchor, members, proposer, origin: from?.origin, via: from?.via,
      settledAt: now + SETTLE_SHARE * this.#d.params.roundMs, at: now, said: new Map([[toHex(proposer), { firstAt: now, lastAt: now }]]), order: proposers(members, anchor, seal.job, seal.round), votes: new Map(), judged: 'no', judgeAt: 0, sealed: false
    }
  }

  async #keep (offer: Offer, tip: RoundTip): Promise<void> {
    const job = toHex(offer.seal.job)
    const offers = this.#offers.get(job) ?? new Map<Hex, Offer>()
    this.#offers.set(job, offers)
    if (!offers.has(offer.name)) offers.set(offer.name, offer)
    this.#waiters.wake()
    this.#voteLater(offer)
    await this.#tryVotes(tip)
  }

  #voteLater ({ seal, settledAt }: Offer): void {
    this.#after(settledAt - this.#d.clock.now(), 'sign an offer', async () => {
      const tip = this.#d.rounds.tip(seal.job)
      if (tip !== undefined) await this.#vote(tip)
    })
  }

  /** Unless it stops before. */
  #after (ms: number, what: string, run: () => Promise<void>): void {
    if (this.#stopped) return
    const cancel = this.#d.clock.after(ms, () => {
      this.#undo = this.#undo.filter(u => u !== cancel)
      run().catch((e: unknown) => { this.#d.log.error('sealing', `could not ${what}: ${e instanceof Error ? e.stack ?? e.message : String(e)}`) })
    })
    this.#undo.push(cancel)
  }

  /** Held against what this node would have offered in its turn, which has come; its own is just that. */
  #isThin (offer: Offer, tip: RoundTip): boolean {
    if (offer.via === undefined) return false
    const turn = firstTurn(offer)
    if (offer.thin?.turn !== turn) {
      const at = tip.since + (turn + 1 - SETTLE_SHARE - LATE_SHARE) * this.#d.params.roundMs
      offer.thin = { turn, isThin: leavesOut(offer.seal, this.#choose(tip, offer.anchor, at).map(c => sliceName(c.claim))) }
    }
    return offer.thin.isThin
  }

  /** Two offers for one round within a round's time, by when each was first heard, are no honest proposer's. */
  #noteTwice (p: Proposal): void {
    const { clock, params } = this.#d
    const name = toHex(sealHash(p.seal))
    for (const other of this.#offers.get(toHex(p.seal.job))?.values() ?? []) {
      const said = other.said.get(toHex(p.proposer))
      if (other.name === name || said === undefined || clock.now() - said.firstAt >= params.roundMs) continue
      if (voteKey(other.seal.job, other.seal.round, other.seal.previous) === voteKey(p.seal.job, p.seal.round, p.seal.previous)) this.#twice.set(twiceKey(p.seal, toHex(p.proposer)), true)
    }
  }

  /** Of what was sealed: a contribution that was never said but in its offer may be found wrong later. Keys without a seat are anybody's. */
  #rememberVouchers ({ anchor, vouches }: Offer): void {
    const members = committeesAround(this.#d.params, anchor).flat()
    for (const { contribution, member } of vouches) if (members.some(m => equalBytes(m, member))) this.#d.contributions.rememberVouchers(contribution, [toHex(member)])
  }

  /**
   * A round that stands still collects offers of many committees: those that nobody repeats, and those whose
   * committee is out of date, would keep the newer ones out for as long as it stands.
   */
  #forgetOld (job: Hex): void {
    const { chain, clock, params } = this.#d
    const head = chain.head()
    for (const [name, { anchor, at }] of this.#offers.get(job) ?? []) {
      const stale = anchor.height < head.height + 1 - params.anchorAgeMax || clock.now() - at > OFFER_ROUNDS * params.roundMs
      if (stale) this.#offers.get(job)?.delete(name)
    }
  }

  /** Of jobs that are over, or have left with their branch: an offer keeps what it is anchored to. */
  #dropOver (): void {
    for (const of of [this.#offers, this.#offered]) {
      for (const job of of.keys()) {
        const tip = this.#d.rounds.tip(fromHex(job, HASH_BYTES)!)
        if (tip === undefined || isEnded(tip.job)) of.delete(job)
      }
    }
  }

  #hasRoom (p: Proposal, anchor: BlockMeta): boolean {
    const offers = [...this.#offers.get(toHex(p.seal.job))?.values() ?? []]
    if (offers.filter(o => equalBytes(o.proposer, p.proposer)).length >= OFFERS_PER_PROPOSER) return false
    return offers.length < OFFERS_PER_JOB || this.#replaceable(offers, anchor) !== undefined
  }

  #makeRoom (p: Proposal, anchor: BlockMeta): boolean {
    if (!this.#hasRoom(p, anchor)) return false
    const offers = this.#offers.get(toHex(p.seal.job))
    if (offers !== undefined && offers.size >= OFFERS_PER_JOB) offers.delete(this.#replaceable([...offers.values()], anchor)!.name)
    return true
  }

  /** The committee changes with every block: an offer of a newer one takes the place of an older one that fewest have signed. */
  #replaceable (offers: readonly Offer[], anchor: BlockMeta): Offer | undefined {
    return offers.filter(o => o.anchor.height < anchor.height && !this.#isBoundTo(o)).sort((a, b) => a.votes.size - b.votes.size || a.anchor.height - b.anchor.height)[0]
  }

  // --- checking

  /** Every rule of the seal but its quorum, and every signature in the proposal. */
  async #checkProposal (p: Proposal, tip: RoundTip, members: readonly Uint8Array[], via: PeerId, known: boolean): Promise<Taken | undefined> {
    // Nobody signs the list of vouches: it holds what a proposer puts into it and no more, and each member's word once.
    const given = new Map(p.seal.contributions.map(c => [toHex(claimId(c)), new Set<Hex>()]))
    const isMade = p.vouches.every(({ contribution, member }) => {
      const by = given.get(toHex(contribution))
      return by !== undefined && by.size < VOUCHES_PER_CONTRIBUTION && by.size < by.add(toHex(member)).size
    })
    if (!isMade) return this.#reject('proposal-vouches', `by ${short(p.proposer)}`, via, true)
    const items = [
      { key: p.proposer, message: proposalMessage(p), signature: p.signature },
      ...p.vouches.map(v => ({ key: v.member, message: vouchMessage(v), signature: v.signature }))
    ]
    const claims = known ? [] : p.seal.contributions.map(contributionSignatureItem)
    const valid = await this.#d.signatures.verify([...items, ...claims])
    if (valid.slice(0, items.length).includes(false)) return this.#reject('proposal-signature', `by ${short(p.proposer)}`, via, true)
    if (known) return undefined
    // A quorum is what the proposal asks for: stand-ins let the rest of the rules be checked now.
    const signatures = Array.from({ length: quorum(members.length) }, (_, member) => ({ member, signature: new Uint8Array(SIGNATURE_BYTES) }))
    const facts = { signatures: [...signatures.map(() => true), ...valid.slice(items.length)], nextStateHash: undefined }
    const wrong = checkSeal(this.#d.params, this.#d.chain.head(), tip.job, { seal: p.seal, signatures }, facts)
    if (wrong === undefined) return undefined
    return isProof(wrong) ? this.#reject(wrong.reason, wrong.detail, via, false) : ignore(wrong.reason)
  }

  #hasData (tip: RoundTip): boolean {
    if (dataFor(this.#d.data, tip.spec) !== undefined) return true
    this.#d.data.want(tip.spec)
    return false
  }

  /** Recomputes what the offer says; only then is it signed. */
  async #judge (offer: Offer, tip: RoundTip): Promise<void> {
    offer.judged = 'running'
    const next = await this.#d.states.sealState(tip.spec, { seal: offer.seal, signatures: [] }, offer.via)
    if (next.kind === 'unavailable') {
      offer.judged = 'no'
      offer.judgeAt = this.#d.clock.now() + this.#d.params.roundMs
      return
    }
    if (next.kind === 'done' && equalBytes(next.stateHash, offer.seal.stateHash)) {
      offer.judged = 'right'
      return
    }
    offer.judged = 'wrong'
    this.#offers.get(toHex(offer.seal.job))?.delete(offer.name)
    const detail = next.kind === 'done' ? 'its contributions do not lead to the state it names' : next.detail
    // Forwarding peers need not recompute it; whoever made and signed it did know.
    this.#d.blame.refuse({ what: 'proposal', reason: 'seal-state-hash', detail: `by ${short(offer.proposer)}: ${detail}`, peer: offer.origin, miner: toHex(offer.proposer), fatal: true })
  }

  /** Drawn members have vouched for every contribution, as far as this node can tell the times. */
  #standsOnVouches (offer: Offer, tip: RoundTip): boolean {
    const committees = committeesAround(this.#d.params, offer.anchor)
    const slackMs = this.#d.params.roundMs / 2
    return offer.seal.contributions.every(claim => {
      const id = claimId(claim)
      const mine = this.#d.contributions.find(offer.seal.job, id)
      if (mine?.verdict === 'wrong' || this.#d.blame.isBannedMiner(claim.template.miner)) return false
      if (mine !== undefined && this.#isVouched(mine, committees, offer.anchor, this.#d.clock.now(), slackMs)) return true
      const vouchers = offer.vouches.filter(v => equalBytes(v.contribution, id)).map(v => v.member)
      for (const v of mine?.vouches.values() ?? []) if (!vouchers.some(x => equalBytes(x, v.member))) vouchers.push(v.member)
      const reserves = Math.floor((this.#d.clock.now() - (mine?.receivedAt ?? tip.since) + slackMs) / this.#d.params.roundMs)
      return isVouched(committees, id, claim, vouchers, this.#d.records.has(offer.anchor, claim.template.miner), reserves)
    })
  }

  // --- voting

  #voteOn (offer: Offer): { readonly name: Hex, readonly at: number } | undefined {
    return this.#voted.get(voteKey(offer.seal.job, offer.seal.round, offer.seal.previous))
  }

  /** Those that are not judged yet are, side by side, and nothing waits for them: whoever withholds what one takes holds up no other. */
  async #tryVotes (tip: RoundTip): Promise<void> {
    const { clock, log, rounds } = this.#d
    for (const offer of this.#bestFirst(tip)) {
      if (offer.judged !== 'no' || clock.now() < offer.judgeAt || !this.#isDue(offer, tip)) continue
      this.#judge(offer, tip)
        .then(async () => {
          const now = rounds.tip(tip.job.id)
          if (offer.judged === 'right' && now !== undefined) await this.#vote(now)
        })
        .catch((e: unknown) => {
          if (offer.judged === 'running') offer.judged = 'no'
          log.error('sealing', `could not judge an offer: ${e instanceof Error ? e.stack ?? e.message : String(e)}`)
        })
    }
    await this.#vote(tip)
  }

  /** Signs the best offer that it may sign, and seals what has a quorum. A better one that has just come has its time first. */
  async #vote (tip: RoundTip): Promise<void> {
    const { clock, key } = this.#d
    let isBetterToCome: boolean = false
    for (const offer of this.#bestFirst(tip)) {
      const isDue: boolean = !this.#stopped && !isBetterToCome && this.#isDue(offer, tip)
      isBetterToCome ||= isDue && clock.now() < offer.settledAt
      if (isDue && !isBetterToCome && offer.judged === 'right') {
        this.#voted.set(voteKey(offer.seal.job, offer.seal.round, offer.seal.previous), { name: offer.name, at: clock.now() })
        offer.votes.set(this.#seat(offer), key.sign(offer.hash))
        offer.at = clock.now()
        await this.#publishVote(offer)
      }
      await this.#assemble(offer)
    }
  }

  #bestFirst (tip: RoundTip): Offer[] {
    return [...this.#offers.get(toHex(tip.job.id))?.values() ?? []].sort(byWorth)
  }

  /** This node may sign it now, if it leads where it says. */
  #isDue (offer: Offer, tip: RoundTip): boolean {
    const { chain, params } = this.#d
    const me = this.#seat(offer)
    if (!this.#d.ready() || me < 0 || offer.votes.has(me) || offer.sealed || !isOn(offer.seal, tip)) return false
    const turn = this.#turn(tip, LATE_SHARE * params.roundMs)
    if (turn < firstTurn(offer)) return false
    if (turn < turnOf(params, chain.head(), offer, tip, this.#isThin(offer, tip), m => this.#twice.has(twiceKey(offer.seal, m)))) return false
    if (!this.#mayVote(offer) || !this.#standsOnVouches(offer, tip)) return false
    return offer.seal.round !== 0 || this.#hasData(tip)
  }

  #seat (offer: Offer): number { return seatOf(offer, this.#d.key.publicKey) }

  #isBoundTo (offer: Offer): boolean { return this.#voteOn(offer)?.name === offer.name }

  #mayVote (offer: Offer): boolean {
    const last = this.#voteOn(offer)
    return last === undefined || last.name === offer.name || this.#d.clock.now() - last.at >= VOTE_HOLD_ROUNDS * this.#d.params.roundMs
  }

  /** A quorum of votes is a seal, whoever counts them first. */
  async #assemble (offer: Offer): Promise<void> {
    if (offer.sealed || offer.votes.size < quorum(offer.members.length)) return
    offer.sealed = true
    const signatures = [...offer.votes].sort(([a], [b]) => a - b).map(([member, signature]) => ({ member, signature }))
    const signed: SignedSeal = { seal: offer.seal, signatures }
    const outcome = await this.#d.rounds.add(signed, offer.via)
    if (outcome.status === 'added') await this.#publishSeal(offer, signed)
    else this.#notAdded(offer, outcome)
  }

  #notAdded (offer: Offer, outcome: SealOutcome): void {
    if (outcome.status !== 'held' && outcome.status !== 'refused') return
    // Held ones come back by themselves; a stale one is out of the game.
    this.#d.log.debug('sealing', `seal of round ${offer.seal.round} of ${short(offer.seal.job)} with a quorum is ${outcome.status}: ${outcome.refusal.reason}, ${outcome.refusal.detail}`)
  }

  async #publishSeal (offer: Offer, signed: SignedSeal): Promise<void> {
    const send = async (): Promise<void> => { await this.#d.publisher.publish({ selector: WORK_SEAL, value: signed }) }
    if (equalBytes(offer.proposer, this.#d.key.publicKey)) return await send()
    if (!offer.members.some(m => equalBytes(m, this.#d.key.publicKey))) return
    this.#after(SEAL_ECHO_MS, 'publish a seal', async () => { if (!this.#heard.has(offer.name)) await send() })
  }

  async #publishProposal (offer: Offer): Promise<void> {
    const proposer = this.#d.key.publicKey
    const signature = this.#d.key.sign(proposalMessage({ seal: offer.seal, proposer }))
    await this.#d.publisher.publish({ selector: WORK_PROPOSAL, value: { seal: offer.seal, vouches: offer.vouches, proposer, signature } })
  }

  async #publishVote (offer: Offer): Promise<void> {
    const signature = offer.votes.get(this.#seat(offer))
    if (signature === undefined) return
    await this.#d.publisher.publish({ selector: WORK_VOTE, value: { job: offer.seal.job, sealHash: offer.hash, member: this.#d.key.publicKey, signature } })
  }

  #reject (reason: string, detail: string, peer: PeerId, fatal: boolean): Taken {
    this.#d.blame.refuse({ what: 'seal', reason, detail, peer, fatal })
    return { verdict: 'reject', reason }
  }
}
