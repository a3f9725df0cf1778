/**
 * The newest sealed round of every job as this node sees it: what the main chain says, and on top
 * of it the seals that committees have signed since and that no block carries yet.
 *
 * Seals that were valid once are kept for a while: a reorganisation may ask for them again. Of two
 * seals for one round the one seen first is built on, unless the chain decides otherwise.
 */
import { endsAt, jobAfterSeal } from '../core/ledger/apply.ts'
import { isEnded, type JobRecord } from '../core/ledger/state.ts'
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { type Seal, SealSignature, SignedSeal } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { committee } from '../core/consensus/committee.ts'
import type { Refusal } from '../core/consensus/refusal.ts'
import { checkSeal, sealSignatureItems, sealSignatureRefusal } from '../core/consensus/seal.ts'
import { hash } from '../core/crypto/hash.ts'
import { claimId, sealHash } from '../core/crypto/ids.ts'
import { type ChainParams, MAX_BODY_BYTES, MAX_PENDING_SEALS, MAX_SEALS_PER_BLOCK } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import { Lru } from './lru.ts'
import { isProof } from './proof.ts'
import type { Chain } from './chain.ts'
import type { Blame, ChainService, Hex, JobTip, Log, StatesService, WorkService } from './parts.ts'

/** Seals of one job that are not on the main chain, usable now or not. */
const SEALS_PER_JOB = 3 * MAX_PENDING_SEALS
/** Seals that wait for the one before them or for payloads, over all jobs; and as many whose committee is not known yet. */
export const HELD_SEALS = 32
/** What seals may take of a body; the rest is for transactions. */
const SEAL_BYTES = MAX_BODY_BYTES - 256 * 1024

interface Waiting { readonly signed: SignedSeal, readonly via?: PeerId }

interface Known {
  readonly name: Hex
  readonly hash: Uint8Array
  readonly signed: SignedSeal
  readonly bytes: number
  readonly anchorHeight: number
  readonly signatures: readonly boolean[]
}

/** A tip, since when this node has it (its own clock, ms), and the height of its head then. */
export interface RoundTip extends JobTip { readonly since: number, readonly sinceHeight: number }

export type SealOutcome =
  | { readonly status: 'added' | 'known' }
  /** A second seal for a round; kept, not built on. */
  | { readonly status: 'conflict', readonly detail: string }
  /** Waits for the seal before it, for a block or for payloads. */
  | { readonly status: 'held', readonly refusal: Refusal }
  | { readonly status: 'refused', readonly refusal: Refusal }

export interface RoundsDeps {
  readonly params: ChainParams
  readonly chain: Pick<ChainService, 'head' | 'get'> & Pick<Chain, 'on' | 'condemnedContributions'>
  readonly states: Pick<StatesService, 'sealState'>
  readonly signatures: Signatures
  readonly blame: Pick<Blame, 'refuse'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

const short = (bytes: Uint8Array): string => toHex(bytes).slice(0, 16)

function jobAfter (job: JobRecord, k: Known, height: number): JobRecord {
  const { seal } = k.signed
  return jobAfterSeal(job, {
    hash: k.hash,
    round: seal.round,
    stateHash: seal.stateHash,
    anchorHeight: k.anchorHeight,
    payees: seal.contributions.map(c => c.template.payee)
  }, height).job
}

export class Rounds implements WorkService {
  readonly #d: RoundsDeps
  readonly #known = new Map<Hex, Lru<Known>>()
  readonly #held = new Lru<Waiting>(HELD_SEALS)
  /** Their anchor is not here, so nobody can tell who must have signed them: anyone can make those, and they push out no others. */
  readonly #unread = new Lru<Waiting>(HELD_SEALS)
  readonly #adding = new Map<Hex, Promise<SealOutcome>>()
  /**
   * Found wrong before anyone sealed them. No block is refused for these, so a restart may forget them; what is
   * condemned is the chain's to know, and on disk: a seal built on here and refused there would void every own block.
   */
  readonly #wrongUnsealed = new Lru<true>(4096)
  readonly #tips = new Map<Hex, RoundTip>()
  readonly #listeners = new Set<(tip: RoundTip) => void>()
  /** Seals found valid on top of a block, so that a chain of them is judged once per head. */
  #judged = new WeakMap<BlockMeta, Map<Hex, boolean>>()
  #undo: Array<() => void> = []

  constructor (d: RoundsDeps) { this.#d = d }

  start (): void {
    this.#undo.push(this.#d.chain.on('condemned', () => { this.#dropWrong() }), this.#d.chain.on('head', ({ removed, added }) => {
      // What a seal of a block taken on trust leads to, nobody here has seen.
      for (const { body, checked } of removed) if (checked !== 'ledger') for (const signed of body.seals) this.#shelve(signed)
      for (const { body } of added) for (const { seal } of body.seals) this.#known.get(toHex(seal.job))?.delete(toHex(sealHash(seal)))
      this.#refresh()
      this.#retryHeld().catch((e: unknown) => { this.#d.log.error('rounds', `held seals: ${e instanceof Error ? e.stack ?? e.message : String(e)}`) })
    }))
    this.#refresh()
  }

  stop (): void { for (const undo of this.#undo.splice(0)) undo() }

  tip (job: Uint8Array): RoundTip | undefined { return this.#tips.get(toHex(job)) }

  tips (): RoundTip[] { return [...this.#tips.values()] }

  /** Called whenever a job's newest sealed state, or the job itself, becomes another. */
  onTip (listener: (tip: RoundTip) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  pendingSeals (parent: BlockMeta): SignedSeal[] {
    const perJob = parent.ledger.jobs.map(job => this.#chainOn(parent, job).pending)
    const taken = perJob.map(() => 0)
    let count = 0
    let bytes = 0
    // In turns, so that one job's seals do not crowd out another's.
    for (let turn = 0; turn < MAX_PENDING_SEALS; turn++) {
      for (const [i, pending] of perJob.entries()) {
        const next = taken[i] === turn ? pending[turn] : undefined
        if (next === undefined || count === MAX_SEALS_PER_BLOCK || bytes + next.bytes > SEAL_BYTES) continue
        taken[i]++
        count++
        bytes += next.bytes
      }
    }
    return perJob.flatMap((pending, i) => pending.slice(0, taken[i]).map(k => k.signed))
  }

  /** A seal from a committee: checked whole, its state recomputed, then built on. */
  async add (signed: SignedSeal, via?: PeerId): Promise<SealOutcome> {
    const name = toHex(sealHash(signed.seal))
    // The name does not commit to the signatures: one copy's answer is not another's.
    const variant = toHex(hash('seal-variant', sealHash(signed.seal), ...signed.signatures.map(s => SealSignature.serialize(s))))
    const running = this.#adding.get(variant)
    if (running !== undefined) return await running
    const adding = this.#add(signed, name, via).finally(() => this.#adding.delete(variant))
    this.#adding.set(variant, adding)
    const outcome = await adding
    if (outcome.status === 'added') await this.#retryHeld()
    if (outcome.status === 'held') (outcome.refusal.reason === 'seal-anchor-unknown' ? this.#unread : this.#held).set(variant, { signed, via })
    return outcome
  }

  /** The pending seal of this hash. */
  pendingSeal (hash: Uint8Array): SignedSeal | undefined {
    const name = toHex(hash)
    for (const known of this.#known.values()) {
      const k = known.get(name)
      if (k !== undefined) return k.signed
    }
    return undefined
  }

  /** It is the newest of its job on the chain, or pending. */
  has (seal: Seal): boolean {
    const hash = sealHash(seal)
    return this.pendingSeal(hash) !== undefined || this.#d.chain.head().ledger.jobs.some(j => equalBytes(j.seal, hash))
  }

  /** It was found wrong before it was sealed: no seal that carries it is built on here. */
  foundWrong (contribution: Uint8Array): void {
    this.#wrongUnsealed.set(toHex(contribution), true)
    this.#dropWrong()
  }

  /** No seal that carries it is built on: it was condemned, or found wrong before it was sealed. */
  isWrong (contribution: Uint8Array): boolean {
    const name = toHex(contribution)
    return this.#d.chain.condemnedContributions().has(name) || this.#wrongUnsealed.has(name)
  }

  #dropWrong (): void {
    for (const known of this.#known.values()) {
      for (const [name, k] of [...known.entries()]) if (this.#carriesWrong(k.signed)) known.delete(name)
    }
    this.#judged = new WeakMap()
    this.#refresh()
  }

  async #add (signed: SignedSeal, name: Hex, via?: PeerId): Promise<SealOutcome> {
    const { params, chain, states, signatures } = this.#d
    const { seal } = signed
    if (this.#known.get(toHex(seal.job))?.has(name) === true) return await this.#knownCopy(signed)
    if (this.#carriesWrong(signed)) return refused('invalid', 'contribution-wrong', 'the seal carries a contribution that was proved wrong')
    const head = chain.head()
    const base = head.ledger.jobs.find(j => equalBytes(j.id, seal.job))
    if (base === undefined) return refused('orphan', 'seal-job-unknown', `no job ${short(seal.job)} on this chain`)
    if (toHex(base.seal) === name) return await this.#knownCopy(signed)
    const { jobs } = this.#chainOn(head, base)
    const before = jobs.find(j => equalBytes(j.seal, seal.previous) && (j.status === 'waiting' ? seal.round === 0 : seal.round === j.round + 1))
    const newest = jobs[jobs.length - 1]
    if (before === undefined && seal.round <= newest.round) return refused('stale', 'seal-round', `round ${seal.round} is sealed, the newest is ${newest.round}`)
    const items = sealSignatureItems(params, head, signed)
    if (!Array.isArray(items)) return outcomeOf(items)
    const ahead: Refusal = { verdict: 'orphan', reason: 'seal-previous', detail: `round ${seal.round} on an unknown seal, the newest here is ${newest.round}` }
    const unread = items.map(() => true)
    const early = before === undefined
      ? sealSignatureRefusal(params, head, signed, unread) ?? ahead
      : checkSeal(params, head, before, signed, { signatures: unread, nextStateHash: undefined })
    // What the rules refuse costs no look at a signature, and nothing is held that its committee has not signed.
    if (early !== undefined && early.verdict !== 'orphan') return outcomeOf(early)
    // The committee's first: what it has not signed is not worth a look at 32 contributions.
    const members = signed.signatures.length
    const byMembers = await signatures.verify(items.slice(0, members))
    const valid = [...byMembers, ...byMembers.includes(false) ? unread.slice(members) : await signatures.verify(items.slice(members))]
    const forged = sealSignatureRefusal(params, head, signed, valid)
    if (forged !== undefined) return outcomeOf(forged)
    if (before === undefined || early !== undefined) return outcomeOf(early ?? ahead)
    const next = await states.sealState(base.spec, signed, via)
    if (next.kind === 'bad-payload') return refused('invalid', 'seal-payload', `${next.detail} (contribution ${short(next.contribution)})`)
    if (next.kind === 'unavailable') return { status: 'held', refusal: { verdict: 'unavailable', reason: 'seal-state-unavailable', detail: next.detail } }
    const wrong = checkSeal(params, head, before, signed, { signatures: valid, nextStateHash: next.stateHash })
    if (wrong !== undefined) return outcomeOf(wrong)
    return this.#insert(signed, valid)
  }

  /** The seal is here; this copy of it may carry other signatures, and whoever passes it on answers for them. */
  async #knownCopy (signed: SignedSeal): Promise<SealOutcome> {
    const { params, chain, signatures } = this.#d
    const here = this.pendingSeal(sealHash(signed.seal))
    if (here !== undefined && sameSignatures(here, signed)) return { status: 'known' }
    const items = sealSignatureItems(params, chain.head(), signed)
    // Its name commits to its contributions and what signs them: they were looked at.
    const members = signed.signatures.length
    const wrong = Array.isArray(items) ? sealSignatureRefusal(params, chain.head(), signed, [...await signatures.verify(items.slice(0, members)), ...items.slice(members).map(() => true)]) : items
    return wrong === undefined ? { status: 'known' } : { status: 'refused', refusal: wrong }
  }

  #insert (signed: SignedSeal, signatures: readonly boolean[]): SealOutcome {
    // Another copy of it was faster.
    if (this.pendingSeal(sealHash(signed.seal)) !== undefined) return { status: 'known' }
    const k = this.#shelve(signed, signatures)
    if (k === undefined) return refused('orphan', 'seal-anchor-unknown', 'the anchor has left the chain')
    const before = this.#tips.get(toHex(signed.seal.job))
    this.#refresh()
    const tip = this.#tips.get(toHex(signed.seal.job))
    if (tip?.pending.includes(signed) === true) {
      this.#d.log.debug('rounds', `job ${short(signed.seal.job)}: the state of round ${signed.seal.round} is sealed, with ${signed.seal.contributions.length} contributions`)
      return { status: 'added' }
    }
    const rival = before?.pending.find(p => p.seal.round === signed.seal.round)
    const detail = this.#conflict(signed, rival)
    return { status: 'conflict', detail }
  }

  /** Evidence, by name: members whose valid signatures are under both seals. */
  #conflict (signed: SignedSeal, rival: SignedSeal | undefined): string {
    const { seal } = signed
    const both = rival === undefined ? [] : this.signers(signed).filter(key => this.signers(rival).some(r => equalBytes(r, key)))
    const who = both.length === 0 ? 'no member signed both' : `signed by both: ${both.map(short).join(', ')}`
    const detail = `job ${short(seal.job)}, round ${seal.round}; ${who}`
    this.#d.blame.refuse({ what: 'seal', reason: 'two seals for one round', detail, miner: both.length === 0 ? undefined : toHex(both[0]), fatal: false })
    return detail
  }

  /** Keys of the members who signed; empty where the anchor is not known here. */
  signers (signed: SignedSeal): Uint8Array[] {
    const anchor = this.#d.chain.get(signed.seal.anchor)?.meta
    const members = anchor === undefined ? [] : committee(this.#d.params, anchor)
    return signed.signatures.map(s => members[s.member]).filter(key => key !== undefined)
  }

  /** Signatures of a seal that was in a block have been checked with the block. */
  #shelve (signed: SignedSeal, signatures?: readonly boolean[]): Known | undefined {
    const { params, chain } = this.#d
    const anchor = chain.get(signed.seal.anchor)
    if (anchor === undefined || this.#carriesWrong(signed)) return undefined
    const items = signatures === undefined ? sealSignatureItems(params, chain.head(), signed) : undefined
    const valid = signatures ?? (Array.isArray(items) ? items.map(() => true) : undefined)
    if (valid === undefined) return undefined
    const hash = sealHash(signed.seal)
    const job = toHex(signed.seal.job)
    const known = this.#known.get(job) ?? new Lru<Known>(SEALS_PER_JOB)
    this.#known.set(job, known)
    const k: Known = { name: toHex(hash), hash, signed, bytes: SignedSeal.value_serializedSize(signed), anchorHeight: anchor.meta.height, signatures: valid }
    known.set(k.name, k)
    return k
  }

  /** The job after each seal that follows on top of `parent`, the job as the chain has it first. */
  #chainOn (parent: BlockMeta, base: JobRecord): { readonly jobs: JobRecord[], readonly pending: Known[] } {
    const jobs = [base]
    const pending: Known[] = []
    const known = this.#known.get(toHex(base.id))
    const height = parent.height + 1
    if (known === undefined || (base.status !== 'benchmark' && endsAt(base) <= height)) return { jobs, pending }
    const all = [...known.entries()].map(([, k]) => k)
    for (let job = base; pending.length < MAX_PENDING_SEALS && !isEnded(job);) {
      const next = all.find(k => equalBytes(k.signed.seal.previous, job.seal) && this.#holds(parent, job, k))
      if (next === undefined) break
      pending.push(next)
      job = jobAfter(job, next, height)
      jobs.push(job)
    }
    return { jobs, pending }
  }

  #holds (parent: BlockMeta, job: JobRecord, k: Known): boolean {
    const judged = this.#judged.get(parent) ?? new Map<Hex, boolean>()
    this.#judged.set(parent, judged)
    // The seal names the one before it, so its name fixes the job's state it is judged against.
    let holds = judged.get(k.name)
    if (holds === undefined) {
      holds = checkSeal(this.#d.params, parent, job, k.signed, { signatures: [...k.signatures], nextStateHash: k.signed.seal.stateHash }) === undefined
      judged.set(k.name, holds)
    }
    return holds
  }

  #refresh (): void {
    const head = this.#d.chain.head()
    const jobs = new Set<Hex>()
    const changed: RoundTip[] = []
    for (const base of head.ledger.jobs) {
      const name = toHex(base.id)
      jobs.add(name)
      const { jobs: states, pending } = this.#chainOn(head, base)
      const job = states[states.length - 1]
      const old = this.#tips.get(name)
      const same = old !== undefined && equalBytes(old.seal, job.seal) && old.round === job.round && old.job.status === job.status
      const tip: RoundTip = {
        job,
        spec: job.spec,
        round: job.round,
        seal: job.seal,
        stateHash: job.stateHash,
        anchorHeight: job.sealAnchorHeight,
        pending: pending.map(k => k.signed),
        since: same ? old.since : this.#d.clock.now(),
        sinceHeight: same ? old.sinceHeight : head.height
      }
      this.#tips.set(name, tip)
      if (!same) changed.push(tip)
    }
    for (const name of [...this.#tips.keys()]) if (!jobs.has(name)) this.#tips.delete(name)
    for (const name of [...this.#known.keys()]) if (!jobs.has(name)) this.#known.delete(name)
    for (const tip of changed) for (const listener of this.#listeners) listener(tip)
  }

  async #retryHeld (): Promise<void> {
    for (const [name, { signed, via }] of [...this.#held.entries(), ...this.#unread.entries()]) {
      const tip = this.#tips.get(toHex(signed.seal.job))
      if (tip !== undefined && signed.seal.round > tip.round + 1) continue
      this.#held.delete(name)
      this.#unread.delete(name)
      const outcome = await this.add(signed, via)
      // Whoever handed it over has had his answer, which was that it must wait.
      if (outcome.status === 'refused' && isProof(outcome.refusal)) this.#d.blame.refuse({ what: 'seal', reason: outcome.refusal.reason, detail: outcome.refusal.detail, peer: via, fatal: true })
    }
  }

  #carriesWrong (signed: SignedSeal): boolean {
    const knowsAny = this.#wrongUnsealed.count + this.#d.chain.condemnedContributions().size > 0
    return knowsAny && signed.seal.contributions.some(c => this.isWrong(claimId(c)))
  }
}

/** Of two copies of one seal. */
const sameSignatures = (a: SignedSeal, b: SignedSeal): boolean =>
  a.signatures.length === b.signatures.length && a.signatures.every((s, i) => s.member === b.signatures[i].member && equalBytes(s.signature, b.signatures[i].signature))

/** What names a block not seen yet may be right once it comes. */
function outcomeOf (refusal: Refusal): SealOutcome {
  return { status: refusal.verdict === 'orphan' ? 'held' : 'refused', refusal }
}

function refused (verdict: Refusal['verdict'], reason: Refusal['reason'], detail: string): SealOutcome {
  return { status: 'refused', refusal: { verdict, reason, detail } }
}
