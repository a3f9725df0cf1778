/**
 * Seals are optimistic: few replay a contribution before it is sealed, anyone may after. The auditor
 * replays a random share of what is sealed, and what the lot gives it (duties.ts) once a block has
 * sealed it; what it finds wrong it calls out by name, and every node that hears the challenge replays that one slice and sees for itself. Nothing is believed:
 * a challenge of a right contribution costs the challenger.
 */
import { equalBytes, toHex, ZERO32 } from '../core/codec/ssz.ts'
import { type Body, type Challenge, type Claim, type SignedSeal, WORK_CHALLENGE } from '../core/codec/wire.ts'
import { claimId, sealHash } from '../core/crypto/ids.ts'
import { findJob } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Chain } from './chain.ts'
import type { Candidate, Contributions, Taken } from './contributions.ts'
import { auditors } from './duties.ts'
import { Lru } from './lru.ts'
import type { MinerKey } from './minerKey.ts'
import type { Blame, BlockRecord, ChainService, Log, ReplayService } from './parts.ts'
import { differs } from './replay.ts'
import type { Rounds } from './rounds.ts'
import { TokenBuckets } from './tokenBucket.ts'
import type { From, WorkPublisher } from './workTopics.ts'

/** Share of sealed contributions this node replays, of 256. */
export const AUDIT_SHARE = 26
/** Sealed contributions that wait to be audited; the oldest that the lot did not give are forgotten. */
export const AUDITS_MAX = 256
/** What some have not heard of is said again, once by anybody in this time. */
export const AGAIN_MS = 20_000
/** Challenges being replayed at once, and how often one peer may bring one. */
const CHALLENGES_AT_ONCE = 4
const CHALLENGES_PER_SECOND = 0.2
export const CHALLENGES_BURST = 4

/** `byLot`: others count on this node, and it must be done before the contribution is ripe. */
interface Sealed { readonly claim: Claim, readonly id: Uint8Array, readonly signed: SignedSeal, readonly byLot?: true }

export interface ChallengesDeps {
  readonly params: ChainParams
  readonly key: Pick<MinerKey, 'publicKey'>
  readonly chain: Pick<ChainService, 'head' | 'at' | 'condemn'> & Pick<Chain, 'on' | 'condemnedContributions'>
  readonly rounds: Pick<Rounds, 'onTip' | 'pendingSeal' | 'foundWrong' | 'isWrong' | 'signers' | 'tips'>
  readonly contributions: Pick<Contributions, 'find' | 'drop' | 'vouchersOf'>
  readonly replay: ReplayService
  readonly publisher: WorkPublisher
  readonly blame: Blame
  readonly random: Random
  readonly clock: Clock
  readonly log: Log
  /** Of 256; AUDIT_SHARE where not given. With 0 this node leaves the lot to others, too. */
  readonly auditShare?: number
}

const short = (bytes: Uint8Array): string => toHex(bytes).slice(0, 16)
const saidName = (c: Challenge): string => toHex(c.sealHash) + toHex(c.contribution)
const ignore = (reason: string): Taken => ({ verdict: 'ignore', reason })

export class Challenges {
  readonly #d: ChallengesDeps
  /** Sealed contributions already drawn for, one way or the other. */
  readonly #considered = new Lru<boolean>(4096)
  readonly #rates: TokenBuckets
  readonly #strange: TokenBuckets
  /** By seal and contribution, when its challenge was said or heard last. */
  readonly #said = new Lru<number>(256)
  #queue: Sealed[] = []
  #share: number
  #running = false
  #replaying = 0
  #audited = 0
  #found = 0
  #stopped = false
  #undo: Array<() => void> = []

  constructor (d: ChallengesDeps) {
    this.#d = d
    this.#share = d.auditShare ?? AUDIT_SHARE
    this.#rates = new TokenBuckets(d.clock, CHALLENGES_PER_SECOND, CHALLENGES_BURST)
    this.#strange = new TokenBuckets(d.clock, 1000 / AGAIN_MS, CHALLENGES_BURST)
  }

  start (): void {
    const { chain, rounds, params } = this.#d
    this.#undo.push(
      rounds.onTip(tip => { for (const signed of tip.pending) this.#consider(signed) }),
      chain.on('head', ({ head, added }) => {
        for (const record of added) if (record.meta.height > head.height - params.maturity) this.#sealed(record)
      }),
      chain.on('checked', record => { if (record.meta.height > chain.head().height - params.maturity && chain.at(record.meta.height)?.meta === record.meta) this.#sealed(record) }),
      chain.on('carrier', body => { this.#again(body).catch((e: unknown) => { this.#failed(e) }) }))
  }

  stop (): void {
    this.#stopped = true
    this.#queue = []
    for (const undo of this.#undo.splice(0)) undo()
  }

  /** Sealed contributions replayed by this auditor, and how many of them were wrong. */
  get counts (): { readonly audited: number, readonly wrong: number } { return { audited: this.#audited, wrong: this.#found } }

  /** Audits everything that can still be challenged, and everything to come. */
  auditAll (): void {
    this.#share = 256
    const { chain, params, rounds } = this.#d
    const head = chain.head().height
    for (const [name, drawn] of [...this.#considered.entries()]) if (!drawn) this.#considered.delete(name)
    for (let h = Math.max(1, head - params.maturity + 1); h <= head; h++) for (const signed of chain.at(h)?.body.seals ?? []) this.#consider(signed)
    for (const tip of rounds.tips()) for (const signed of tip.pending) this.#consider(signed)
  }

  /** A member replayed it before it was sealed: everyone should know before it is. */
  async wrongUnsealed (candidate: Candidate, detail: string): Promise<void> {
    this.#dropUnsealed(candidate, detail)
    await this.#publish({ job: candidate.claim.template.job, sealHash: ZERO32, contribution: candidate.id })
  }

  /**
   * Who builds on what is wrong has missed the challenge: he was away, or came later. Unless he hears it, those who
   * know and those who do not stay on chains of their own.
   */
  async #again ({ seals }: Body): Promise<void> {
    const wrong = this.#d.chain.condemnedContributions()
    for (const { seal } of seals) {
      // One fells the block.
      const contribution = seal.contributions.map(claimId).find(id => wrong.has(toHex(id)))
      if (contribution === undefined) continue
      const challenge: Challenge = { job: seal.job, sealHash: sealHash(seal), contribution }
      const isNews = this.#d.clock.now() - (this.#said.get(saidName(challenge)) ?? -Infinity) >= AGAIN_MS
      if (isNews && this.#rates.take('')) await this.#publish(challenge)
      return
    }
  }

  /** From gossip. */
  async take (c: Challenge, from: From): Promise<Taken> {
    const taken = await this.#take(c, from)
    // What is not passed on was not heard by those who need it.
    if (taken.verdict === 'accept') this.#said.set(saidName(c), this.#d.clock.now())
    return taken
  }

  async #take (c: Challenge, from: From): Promise<Taken> {
    if (!this.#rates.take(from.origin)) return ignore('too many challenges')
    if (this.#d.rounds.isWrong(c.contribution)) {
      // Once for all who have not heard, not for each who says it again.
      const last = this.#said.get(saidName(c))
      // Anybody may put any seal beside it.
      const isNews = last === undefined ? this.#strange.take(toHex(c.contribution)) : this.#d.clock.now() - last >= AGAIN_MS
      return isNews ? { verdict: 'accept', reason: 'known to be wrong' } : ignore('known to be wrong')
    }
    if (this.#replaying >= CHALLENGES_AT_ONCE) return ignore('busy')
    this.#replaying++
    try {
      return equalBytes(c.sealHash, ZERO32) ? await this.#takeUnsealed(c, from) : await this.#takeSealed(c, from)
    } finally {
      this.#replaying--
    }
  }

  async #takeUnsealed (c: Challenge, from: From): Promise<Taken> {
    const candidate = this.#d.contributions.find(c.job, c.contribution)
    if (candidate === undefined) return ignore('challenge of an unknown contribution')
    const wrong = await this.#replay(candidate.claim, 'background')
    if (wrong === undefined) return ignore('cannot be replayed here')
    if (wrong === false) return this.#reject(c, from)
    this.#dropUnsealed(candidate, wrong)
    return { verdict: 'accept' }
  }

  async #takeSealed (c: Challenge, from: From): Promise<Taken> {
    const sealed = this.#find(c)
    if (sealed === undefined) return ignore('challenge of an unknown or ripe contribution')
    const wrong = await this.#replay(sealed.claim, 'replay')
    if (wrong === undefined) return ignore('cannot be replayed here')
    if (wrong === false) return this.#reject(c, from)
    await this.#condemn(sealed, wrong)
    return { verdict: 'accept' }
  }

  /** In a pending seal, or in a block whose credits are not ripe. */
  #find (c: Challenge): Sealed | undefined {
    const { chain, rounds, params } = this.#d
    const inSeal = (signed: SignedSeal | undefined): Sealed | undefined => {
      const claim = signed?.seal.contributions.find(x => equalBytes(claimId(x), c.contribution))
      return signed === undefined || claim === undefined ? undefined : { claim, id: c.contribution, signed }
    }
    const pending = inSeal(rounds.pendingSeal(c.sealHash))
    if (pending !== undefined) return pending
    const head = chain.head().height
    for (let h = head; h > Math.max(0, head - params.maturity); h--) {
      const signed = chain.at(h)?.body.seals.find(s => equalBytes(s.seal.job, c.job) && equalBytes(sealHash(s.seal), c.sealHash))
      if (signed !== undefined) return inSeal(signed)
    }
    return undefined
  }

  #reject (c: Challenge, from: From): Taken {
    const detail = `contribution ${short(c.contribution)} was computed right`
    this.#d.blame.refuse({ what: 'challenge', reason: 'challenge of a right contribution', detail, peer: from.origin, fatal: false })
    return { verdict: 'reject', reason: 'challenge of a right contribution' }
  }

  /** What the lot of this block gives to this node comes before what it has chosen itself. */
  #sealed (record: BlockRecord): void {
    const { params, key } = this.#d
    // What is on trust may be gone in a moment, and cannot always be redone: it has its turn when its block has had his.
    if (record.checked === 'ledger') return
    for (const signed of record.body.seals) {
      for (const claim of signed.seal.contributions) {
        const id = claimId(claim)
        const name = toHex(id)
        if (this.#share === 0 || !auditors(params, record.meta, id, claim).some(member => equalBytes(member, key.publicKey))) continue
        // What was chosen before and still waits counts from now on as given: else it might be forgotten.
        const waits = this.#queue.findIndex(s => equalBytes(s.id, id))
        if (waits >= 0) this.#queue.splice(waits, 1)
        else if (this.#considered.get(name) === true) continue
        this.#considered.set(name, true)
        this.#queue.unshift({ claim, id, signed, byLot: true })
      }
      this.#consider(signed)
    }
  }

  /** Draws once for every contribution of a seal. */
  #consider (signed: SignedSeal): void {
    for (const claim of signed.seal.contributions) {
      const id = claimId(claim)
      const name = toHex(id)
      if (this.#considered.has(name)) continue
      const drawn = this.#share === 256 || this.#d.random.bytes(1)[0] < this.#share
      this.#considered.set(name, drawn)
      // One that was found wrong before it was sealed needs no draw.
      if (drawn || this.#d.rounds.isWrong(id)) this.#queue.push({ claim, id, signed })
    }
    while (this.#queue.length > AUDITS_MAX) this.#forgetOne()
    void this.#run()
  }

  /** The oldest of its own choice; what the lot gives comes in front, the newest first, so the last of it is its oldest. */
  #forgetOne (): void {
    const own = this.#queue.findIndex(s => s.byLot !== true)
    const [forgotten] = this.#queue.splice(own, 1)
    // The lot may still give it.
    this.#considered.set(toHex(forgotten.id), false)
  }

  async #run (): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      for (let next = this.#queue.shift(); next !== undefined && !this.#stopped; next = this.#queue.shift()) await this.#audit(next)
    } catch (e) {
      this.#failed(e)
    } finally {
      this.#running = false
    }
  }

  async #audit (sealed: Sealed): Promise<void> {
    const wrong = await this.#replay(sealed.claim, sealed.byLot ? 'replay' : 'background')
    if (wrong === undefined) return
    this.#audited++
    if (wrong === false) return
    const challenge: Challenge = { job: sealed.signed.seal.job, sealHash: sealHash(sealed.signed.seal), contribution: sealed.id }
    if (this.#find(challenge) === undefined) {
      // Nobody would hear it any more: to condemn it alone would be to leave the network.
      this.#found++
      this.#d.log.warn('auditor', `contribution ${short(sealed.id)} of round ${sealed.signed.seal.round - 1} is wrong, and ripe: ${wrong}`)
      return
    }
    await this.#condemn(sealed, wrong)
    await this.#publish(challenge)
  }

  /** How it is wrong; false: it is right; undefined: it cannot be told here. */
  async #replay (claim: Claim, priority: 'replay' | 'background'): Promise<string | false | undefined> {
    const job = findJob(this.#d.chain.head().ledger, claim.template.job)
    if (job === undefined) return undefined
    const r = await this.#d.replay.replay(claim, job.spec, priority)
    return r.kind === 'unavailable' ? undefined : differs(claim, r) ?? false
  }

  async #condemn (sealed: Sealed, detail: string): Promise<void> {
    const { blame, chain, rounds, contributions, log } = this.#d
    this.#found++
    const miner = toHex(sealed.claim.template.miner)
    const signers = rounds.signers(sealed.signed).map(toHex)
    log.warn('auditor', `contribution ${short(sealed.id)} of round ${sealed.signed.seal.round - 1} is wrong: ${detail}`)
    blame.refuse({ what: 'contribution', reason: 'wrong slice', detail, miner, fatal: true })
    // Who vouched said that it had replayed it; who only signed the seal is named, not banned.
    for (const voucher of contributions.vouchersOf(sealed.id)) {
      blame.refuse({ what: 'vouch', reason: 'vouched for a wrong slice', detail: `${voucher.slice(0, 16)} vouched for ${short(sealed.id)}`, miner: voucher, fatal: true })
    }
    for (const signer of signers) {
      blame.refuse({ what: 'seal', reason: 'signed a wrong slice', detail: `${signer.slice(0, 16)} signed round ${sealed.signed.seal.round}`, miner: signer, fatal: false })
    }
    await chain.condemn(sealed.id, detail)
  }

  #dropUnsealed (candidate: Candidate, detail: string): void {
    const { blame, contributions, rounds } = this.#d
    const { job, miner } = candidate.claim.template
    blame.refuse({ what: 'contribution', reason: 'wrong slice', detail, peer: candidate.from?.origin, miner: toHex(miner), fatal: true })
    contributions.drop(job, candidate.id)
    rounds.foundWrong(candidate.id)
  }

  #failed (e: unknown): void { this.#d.log.error('auditor', e instanceof Error ? e.stack ?? e.message : String(e)) }

  async #publish (value: Challenge): Promise<void> {
    this.#said.set(saidName(value), this.#d.clock.now())
    await this.#d.publisher.publish({ selector: WORK_CHALLENGE, value })
  }
}
