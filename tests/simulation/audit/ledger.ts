/**
 * The ledger of docs/protocol.md, section 10, as plainly as it can be written: maps, lists and bigints,
 * copied for every block. Beside the balances it keeps the flows of every job's money.
 */
import { type Hex, hexOf, NO_HASH, ZEROS } from './bytes.ts'
import { costOf } from './model.ts'
import { type AuditParams, CONTRIBUTION_SHARE, MAX_ACTIVE_JOBS, MAX_CONTRIBUTIONS, MAX_DEADLINE, MAX_ENDED_JOBS, MAX_WAITING_BLOCKS, MIN_DEADLINE, OFFER_LEAST, OFFER_WHOLE, subsidyAt } from './numbers.ts'
import { Seeding } from './seeding.ts'
import { specProblem } from './specRules.ts'
import type { Finding } from './violations.ts'
import { jobId, type PostJob, readSpec, type Seal, type Spec, type Transaction } from './wire.ts'

/** In the order of their numbers. */
export const STATUSES = ['benchmark', 'waiting', 'active', 'done', 'expired', 'cancelled', 'exhausted'] as const
export const KINDS = ['block-reward', 'contribution', 'contribution-subsidy', 'fees'] as const

export interface Account { balance: bigint, nonce: number }
export interface Job {
  readonly id: Hex, readonly specBytes: Uint8Array, readonly spec: Spec, readonly owner: Hex
  status: typeof STATUSES[number]
  round: number, seal: Hex, stateHash: Hex, sealAnchorHeight: number
  readonly escrow: bigint
  escrowLeft: bigint
  readonly price: bigint, readonly burn: bigint, readonly postedAt: number, readonly deadline: number
  cancelsAt: number, endedAt: number, offerShare: number
}
/** A credit that ripens at `height`; `by` is whose work it is for, which the ledger itself does not know. */
export interface Credit { readonly height: number, readonly account: Hex, readonly amount: bigint, readonly kind: typeof KINDS[number], readonly job: Hex, readonly by: Hex }
/** Of one job, grains: what its owner put in, and what became of it. */
export interface Flow { in: bigint, paid: bigint, refunded: bigint, burned: bigint }

const isOpen = (job: Job): boolean => job.status === 'waiting' || job.status === 'active'
export const hasEnded = (job: Job): boolean => !isOpen(job) && job.status !== 'benchmark'

export class Ledger {
  height = 0
  accounts = new Map<Hex, Account>()
  /** The benchmark, then as posted. */
  jobs: Job[] = []
  maturing: Credit[] = []
  seeding = new Seeding()
  issued = 0n
  burned = 0n
  /** Of every job there ever was but the benchmark. */
  flows = new Map<Hex, Flow>()
  /** What the last block credited. */
  credited: Credit[] = []

  static genesis (specBytes: Uint8Array, spec: Spec, stateHash: Hex, offerShare: number = OFFER_WHOLE): Ledger {
    const ledger = new Ledger()
    ledger.jobs.push({
      id: hexOf(jobId(specBytes, ZEROS, 0)), specBytes, spec, owner: NO_HASH, status: 'benchmark', round: 0, seal: NO_HASH, stateHash, sealAnchorHeight: 0,
      escrow: 0n, escrowLeft: 0n, price: 0n, burn: 0n, postedAt: 0, deadline: 0, cancelsAt: 0, endedAt: 0, offerShare
    })
    return ledger
  }

  copy (): Ledger {
    const next = new Ledger()
    next.height = this.height
    for (const [key, account] of this.accounts) next.accounts.set(key, { ...account })
    next.jobs = this.jobs.map(job => ({ ...job }))
    next.maturing = [...this.maturing]
    next.seeding = this.seeding.copy()
    next.issued = this.issued
    next.burned = this.burned
    for (const [job, flow] of this.flows) next.flows.set(job, { ...flow })
    return next
  }

  account (key: Hex): Account { return this.accounts.get(key) ?? { balance: 0n, nonce: 0 } }
  job (id: Hex): Job | undefined { return this.jobs.find(job => job.id === id) }
  get benchmark (): Job { return this.jobs[0] }

  /** The drawn job, or the benchmark if it is not active any more. */
  workOn (drawn: Hex): Job {
    const job = this.job(drawn)
    return job?.status === 'active' ? job : this.benchmark
  }

  private add (key: Hex, amount: bigint): void {
    const { balance, nonce } = this.account(key)
    if (balance + amount === 0n && nonce === 0) this.accounts.delete(key)
    else this.accounts.set(key, { balance: balance + amount, nonce })
  }

  private end (job: Job, status: Job['status']): void {
    this.add(job.owner, job.escrowLeft)
    this.flows.get(job.id)!.refunded += job.escrowLeft
    job.escrowLeft = 0n
    job.status = status
    job.endedAt = this.height
    // Those that were sealed stay before those that were not, then those that ended last; of those that ended together, the ones posted last.
    const ended = this.jobs.filter(hasEnded).map(j => ({ j, at: this.jobs.indexOf(j) }))
    ended.sort((x, y) => Number(y.j.seal !== NO_HASH) - Number(x.j.seal !== NO_HASH) || y.j.endedAt - x.j.endedAt || y.at - x.at)
    const gone = new Set(ended.slice(MAX_ENDED_JOBS).map(({ j }) => j))
    this.jobs = this.jobs.filter(j => !gone.has(j))
  }

  private credit (p: AuditParams, account: Hex, amount: bigint, kind: Credit['kind'], by: Hex, job: Hex = NO_HASH): void {
    if (amount === 0n) return
    const one = { height: this.height + p.maturity, account, amount, kind, job, by }
    this.maturing.push(one)
    this.credited.push(one)
  }

  /** Steps 1 and 2 of a block: what ripens and what runs out. */
  open (p: AuditParams, height: number): void {
    this.height = height
    this.credited = []
    for (const one of this.maturing.filter(m => m.height <= height)) this.add(one.account, one.amount)
    this.maturing = this.maturing.filter(m => m.height > height)
    for (const [key, grains] of this.seeding.turn(p.epochBlocks, height)) this.add(key, grains)
    for (const job of this.jobs.filter(isOpen)) {
      const last = job.status === 'waiting' ? Math.min(job.deadline, job.postedAt + MAX_WAITING_BLOCKS) : job.deadline
      if (job.status === 'active' && job.cancelsAt !== 0 && job.cancelsAt <= job.deadline && height >= job.cancelsAt) this.end(job, 'cancelled')
      else if (height >= last) this.end(job, 'expired')
    }
  }

  private postFinding (p: AuditParams, post: PostJob, id: Hex): Finding | undefined {
    const spec = readSpec(post.spec)
    if ('wrong' in spec) return ['post-spec-encoding', spec.wrong]
    const problem = specProblem(spec.value, p.minSliceCost)
    if (problem !== undefined) return ['post-spec-rules', problem]
    if (post.pricePerContribution < 1n) return ['post-price', 'no price']
    if (post.escrow < post.pricePerContribution) return ['post-escrow', `${post.escrow} in escrow, a contribution costs ${post.pricePerContribution}`]
    if (post.burn < p.minFee) return ['post-burn', `burns ${post.burn}`]
    if (post.deadline <= this.height + MIN_DEADLINE || post.deadline > this.height + MAX_DEADLINE) return ['post-deadline', `deadline ${post.deadline} at ${this.height}`]
    if (this.jobs.filter(isOpen).length >= MAX_ACTIVE_JOBS) return ['post-table-full', `${MAX_ACTIVE_JOBS} jobs are open`]
    if (this.job(id) !== undefined) return ['post-duplicate', id]
    return undefined
  }

  private cancelFinding (id: Hex, from: Hex): Finding | undefined {
    const job = this.job(id)
    if (job === undefined) return ['cancel-unknown', id]
    if (job.status === 'benchmark' || job.owner !== from) return ['cancel-owner', `${from} is not the owner of ${id}`]
    if (hasEnded(job)) return ['cancel-ended', `${id} is ${job.status}`]
    if (job.cancelsAt !== 0) return ['cancel-again', `${id} ends at ${job.cancelsAt}`]
    return undefined
  }

  /** The first rule that a transaction breaks, its signature aside. */
  transactionFinding (p: AuditParams, chain: Hex, tx: Transaction): Finding | undefined {
    const from = hexOf(tx.from)
    const { balance, nonce } = this.account(from)
    if (hexOf(tx.chain) !== chain) return ['transaction-chain', hexOf(tx.chain)]
    if (tx.fee < p.minFee) return ['transaction-fee', `${tx.fee} grains`]
    if (tx.nonce !== nonce) return [tx.nonce < nonce ? 'transaction-nonce-reused' : 'transaction-nonce-gap', `nonce ${tx.nonce}, the account's is ${nonce}`]
    if (nonce === 0xffffffff) return ['transaction-nonce-exhausted', from]
    if (tx.action.selector === 0) return ['transaction-action', 'none']
    if (tx.action.selector === 1) {
      if (tx.action.value.amount < 1n) return ['transfer-amount', 'of nothing']
      if (hexOf(tx.action.value.to) === from) return ['transfer-self', from]
    }
    if (tx.action.selector === 2) {
      const finding = this.postFinding(p, tx.action.value, hexOf(jobId(tx.action.value.spec, tx.from, tx.nonce)))
      if (finding !== undefined) return finding
    }
    if (tx.action.selector === 3) {
      const finding = this.cancelFinding(hexOf(tx.action.value.job), from)
      if (finding !== undefined) return finding
    }
    if (tx.action.selector === 4 && tx.action.value.grains < p.minFee) return ['set-aside-amount', `${tx.action.value.grains} grains`]
    if (tx.action.selector === 5) {
      const outcome = this.seeding.copy().redeem(p.epochBlocks, this.height, from, tx.action.value)
      if ('wrong' in outcome) return outcome.wrong
    }
    const spent = tx.action.selector === 1 ? tx.action.value.amount : tx.action.selector === 4 ? tx.action.value.grains : tx.action.selector === 2 ? tx.action.value.escrow + tx.action.value.burn : 0n
    if (balance < tx.fee + spent) return ['transaction-balance', `has ${balance}, spends ${tx.fee + spent}`]
    return undefined
  }

  /** One in which nothing was found. */
  transact (p: AuditParams, tx: Transaction): void {
    const from = hexOf(tx.from)
    this.accounts.set(from, { balance: this.account(from).balance - tx.fee, nonce: tx.nonce + 1 })
    switch (tx.action.selector) {
      case 1:
        this.add(from, -tx.action.value.amount)
        this.add(hexOf(tx.action.value.to), tx.action.value.amount)
        break
      case 2: {
        const { spec: specBytes, escrow, burn, pricePerContribution: price, deadline } = tx.action.value
        const spec = readSpec(specBytes)
        if ('wrong' in spec) throw new Error('not checked before')
        const id = hexOf(jobId(specBytes, tx.from, tx.nonce))
        this.add(from, -escrow - burn)
        this.burned += burn
        this.flows.set(id, { in: escrow + burn, paid: 0n, refunded: 0n, burned: burn })
        this.jobs.push({
          id, specBytes, spec: spec.value, owner: from, status: 'waiting', round: 0, seal: NO_HASH, stateHash: NO_HASH, sealAnchorHeight: 0,
          escrow, escrowLeft: escrow, price, burn, postedAt: this.height, deadline, cancelsAt: 0, endedAt: 0, offerShare: OFFER_WHOLE
        })
        break
      }
      case 3: {
        const job = this.job(hexOf(tx.action.value.job))!
        if (job.status === 'waiting') this.end(job, 'cancelled')
        else job.cancelsAt = this.height + p.cancelDelay
        break
      }
      case 4:
        this.add(from, -tx.action.value.grains)
        this.seeding.setAside(from, tx.action.value.grains)
        break
      case 5: {
        const outcome = this.seeding.redeem(p.epochBlocks, this.height, from, tx.action.value)
        if ('wrong' in outcome) throw new Error('not checked before')
        this.add(from, outcome.paid)
        this.burned += outcome.burned
      }
    }
  }

  /** A seal in which nothing was found. */
  takeSeal (p: AuditParams, seal: Seal, sealHash: Hex, anchorHeight: number): void {
    const job = this.job(hexOf(seal.job))!
    job.round = seal.round
    job.seal = sealHash
    job.stateHash = hexOf(seal.stateHash)
    job.sealAnchorHeight = anchorHeight
    const count = seal.contributions.length
    const sixteenth = Math.floor(job.offerShare / 16)
    if (count === MAX_CONTRIBUTIONS) job.offerShare = Math.max(OFFER_LEAST, job.offerShare - sixteenth)
    else if (count > 0 && count < MAX_CONTRIBUTIONS / 4) job.offerShare = Math.min(OFFER_WHOLE, job.offerShare + sixteenth)
    if (job.status === 'waiting') job.status = 'active'
    if (job.status === 'benchmark') return
    for (const { template } of seal.contributions) {
      if (job.escrowLeft < job.price) break
      job.escrowLeft -= job.price
      this.flows.get(job.id)!.paid += job.price
      this.credit(p, hexOf(template.payee), job.price, 'contribution', hexOf(template.miner), job.id)
    }
    if (job.round === job.spec.rounds) this.end(job, 'done')
    else if (job.escrowLeft < job.price) this.end(job, 'exhausted')
  }

  /** Step 5: subsidy and fees. `sealed` is every contribution of the block in order, with the spec of its job. */
  close (p: AuditParams, miner: Uint8Array, payee: Uint8Array, fees: bigint, sealed: ReadonlyArray<{ readonly miner: Uint8Array, readonly payee: Uint8Array, readonly job: Hex, readonly spec: Spec }>): void {
    const subsidy = subsidyAt(p, this.height)
    const reward = subsidy * BigInt(256 - CONTRIBUTION_SHARE) / 256n
    this.credit(p, hexOf(payee), reward, 'block-reward', hexOf(miner))
    this.credit(p, hexOf(payee), fees, 'fees', hexOf(miner))
    this.issued += reward
    const pool = subsidy * BigInt(CONTRIBUTION_SHARE) / 256n
    const cost = sealed.reduce((sum, { spec }) => sum + BigInt(costOf(spec)), 0n)
    for (const { miner: by, payee: to, job, spec } of sealed) {
      const share = pool * BigInt(costOf(spec)) / cost
      this.issued += share
      this.credit(p, hexOf(to), share, 'contribution-subsidy', hexOf(by), job)
    }
  }
}
