/**
 * The miner: takes the head and the job drawn for its key, fixes the block it would make (the
 * zero-nonce template), and works slice after slice under it. Every slice is a ticket; one below
 * the target is a block, one drawn by the eligibility rule is a contribution, one may be both.
 *
 * A new head, a new sealed round or new transactions make a new template after the slices in
 * flight; slice indices go on, so that no slice of a round is worked on twice.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { type Block, type Body, type Claim, type SignedSeal, type SignedTransaction, type Template, WORK_CLAIM } from '../core/codec/wire.ts'
import { assembleBlock, type AssembledBlock, retimeBlock, trySeals } from '../core/consensus/assemble.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { eligible, randomnessBlock } from '../core/consensus/draw.ts'
import { ticketBound, ticketWins } from '../core/consensus/target.ts'
import { claimId, ticket } from '../core/crypto/ids.ts'
import type { JobRecord } from '../core/ledger/state.ts'
import { type ChainParams, SIGNATURE_BYTES } from '../core/params.ts'
import { sliceCost } from '../core/training/cost.ts'
import type { Dataset } from '../core/training/dataset.ts'
import type { ModelState } from '../core/training/modelState.ts'
import type { Clock } from '../ports/clock.ts'
import type { Compute, SliceResult } from '../ports/compute.ts'
import type { Contributions } from './contributions.ts'
import { sleep } from './askPeers.ts'
import { dataFor } from './datasets.ts'
import type { MinerKey } from './minerKey.ts'
import type { BlockRecord, ChainService, DataService, Hex, Log, PayloadService, PoolService, StatesService, SubmitResult } from './parts.ts'
import { type Replays, sliceTask } from './replay.ts'
import type { Rounds } from './rounds.ts'
import type { SliceCounter } from './sliceCounter.ts'
import type { WorkPublisher } from './workTopics.ts'

/** A template is made anew at least this often, for the time in it and for new transactions. */
export const TEMPLATE_MS = 2_000
/** Pause before another try when something is missing or broke. */
const RETRY_MS = 500
/** Slices over which the speed is taken. */
const SPEED_SLICES = 24

export interface TrainerDeps {
  readonly params: ChainParams
  readonly key: MinerKey
  /** The account that is paid. */
  readonly payee: () => Uint8Array
  readonly chain: Pick<ChainService, 'head' | 'on'>
  /** Takes a block this node made, and announces it. */
  readonly submitOwn: (block: Block) => Promise<SubmitResult>
  readonly pool: Pick<PoolService, 'select'>
  readonly rounds: Pick<Rounds, 'onTip' | 'pendingSeals'>
  readonly states: Pick<StatesService, 'state'>
  readonly data: Pick<DataService, 'held' | 'want' | 'progress'>
  readonly payloads: Pick<PayloadService, 'put'>
  readonly contributions: Pick<Contributions, 'addOwn'>
  readonly replays: Pick<Replays, 'remember'>
  readonly slices: SliceCounter
  readonly compute: Pick<Compute, 'ready' | 'runSlice'>
  readonly publisher: WorkPublisher
  readonly clock: Clock
  readonly log: Log
  /** Why this node may not mine yet, for people; undefined when it may. */
  readonly gate: () => string | undefined
}

/** off: the user said so. paused: the page is hidden, or on battery. waiting: something is missing. */
export type TrainerState = 'off' | 'waiting' | 'working' | 'paused-hidden' | 'paused-battery'

export interface TrainerView {
  readonly state: TrainerState
  /** Why it is in that state, for people. */
  readonly detail: string
  readonly job?: Hex
  readonly round?: number
  readonly slices: number
  readonly blocksFound: number
  readonly contributionsSealed: number
  readonly slicesPerSecond: number
  readonly expectedBlockSeconds?: number
}

/** Everything a slice needs: fixed until the next template. */
interface Work {
  readonly parent: BlockMeta
  readonly template: Template
  readonly body: Body
  readonly job: JobRecord
  readonly state: ModelState
  readonly data: Dataset
  readonly builtAt: number
}

/** What a block is made of. */
interface Parts {
  readonly parent: BlockMeta
  readonly payee: Uint8Array
  readonly transactions: readonly SignedTransaction[]
  readonly seals: readonly SignedSeal[]
}

const isSameList = (a: readonly unknown[], b: readonly unknown[]): boolean => a.length === b.length && a.every((x, i) => x === b[i])
const isSame = (a: Parts, b: Parts): boolean => a.parent === b.parent && equalBytes(a.payee, b.payee) && isSameList(a.transactions, b.transactions) && isSameList(a.seals, b.seals)

export class Trainer {
  readonly #d: TrainerDeps
  #on = false
  #workers = 1
  #pause: 'paused-hidden' | 'paused-battery' | undefined
  #waiting: string | undefined
  #work: Work | undefined
  /** The last block assembled: with the same parts, only its time becomes another. */
  #assembled: { readonly parts: Parts, readonly block: AssembledBlock } | undefined
  #building: Promise<Work | undefined> | undefined
  #dirty = true
  #lanes = 0
  #slices = 0
  #blocksFound = 0
  #contributionsSealed = 0
  #finished: number[] = []
  #stopped = false
  #undo: Array<() => void> = []

  constructor (d: TrainerDeps) { this.#d = d }

  start (): void {
    this.#undo.push(this.#d.chain.on('head', ({ removed, added }) => {
      this.#dirty = true
      this.#contributionsSealed += this.#ownSealed(added) - this.#ownSealed(removed)
    }), this.#d.rounds.onTip(() => { this.#dirty = true }))
    this.#pump()
  }

  /** No slice starts after this; those in flight end unused. */
  stop (): void {
    this.#stopped = true
    for (const undo of this.#undo.splice(0)) undo()
  }

  configure (o: { readonly on: boolean, readonly workers: number, readonly pause?: 'paused-hidden' | 'paused-battery' }): void {
    this.#on = o.on
    this.#workers = Math.max(1, o.workers)
    this.#pause = o.pause
    if (!this.#active()) this.#finished = []
    this.#pump()
  }

  view (): TrainerView {
    const work = this.#active() ? this.#work : undefined
    const slicesPerSecond = this.#speed()
    const chance = work === undefined ? 0 : Number(ticketBound(work.template.target, sliceCost(work.job.spec)) >> 192n) / 2 ** 64
    return {
      ...this.#stateView(),
      job: work === undefined ? undefined : toHex(work.job.id),
      round: work?.job.round,
      slices: this.#slices,
      blocksFound: this.#blocksFound,
      contributionsSealed: this.#contributionsSealed,
      slicesPerSecond,
      expectedBlockSeconds: chance > 0 && slicesPerSecond > 0 ? 1 / (chance * slicesPerSecond) : undefined
    }
  }

  #stateView (): { readonly state: TrainerState, readonly detail: string } {
    if (!this.#on) return { state: 'off', detail: 'mining is switched off' }
    if (this.#pause === 'paused-hidden') return { state: 'paused-hidden', detail: 'paused while the page is hidden' }
    if (this.#pause === 'paused-battery') return { state: 'paused-battery', detail: 'paused while on battery' }
    const gate = this.#d.gate()
    if (gate !== undefined) return { state: 'waiting', detail: gate }
    if (this.#waiting !== undefined) return { state: 'waiting', detail: this.#waiting }
    return { state: 'working', detail: this.#work === undefined ? 'preparing the first block' : `round ${this.#work.job.round}` }
  }

  #active (): boolean { return this.#on && this.#pause === undefined && !this.#stopped }

  #pump (): void {
    while (this.#active() && this.#lanes < this.#workers) {
      this.#lanes++
      void this.#lane().finally(() => {
        this.#lanes--
        // It may have been switched on again while the lane was on its way out.
        this.#pump()
      })
    }
  }

  async #lane (): Promise<void> {
    while (this.#active() && this.#lanes <= this.#workers) {
      if (!await this.#slice()) await sleep(this.#d.clock, RETRY_MS)
    }
  }

  /** False: nothing could be done now. */
  async #slice (): Promise<boolean> {
    try {
      await this.#d.compute.ready()
      const work = await this.#current()
      if (work === undefined || !this.#active()) return false
      const slice = await this.#d.slices.take(work.job.id, work.job.round, work.template.height)
      const result = await this.#d.compute.runSlice(sliceTask(work.job.spec, work.template, slice, work.state, work.data), 'slice')
      if (!this.#stopped) await this.#finish(work, slice, result)
      return true
    } catch (e) {
      // A kernel that crashed, a part that was stopped: the next slice may do better.
      if (!this.#stopped) this.#d.log.error('trainer', `slice failed: ${e instanceof Error ? e.stack ?? e.message : String(e)}`)
      return false
    }
  }

  // --- templates

  async #current (): Promise<Work | undefined> {
    const { clock, chain, gate } = this.#d
    if (gate() !== undefined) return undefined
    const work = this.#work
    if (work !== undefined && !this.#dirty && work.parent === chain.head() && clock.now() - work.builtAt < TEMPLATE_MS) return work
    this.#building ??= this.#build().finally(() => { this.#building = undefined })
    return await this.#building
  }

  async #build (): Promise<Work | undefined> {
    const { chain, clock, data, states } = this.#d
    this.#dirty = false
    const parent = chain.head()
    const { template, body, job } = this.#assemble(parent)
    const records = dataFor(data, job.spec)
    if (records === undefined) {
      data.want(job.spec)
      const { have, want } = data.progress(job.spec.data.root)
      return this.#wait(`fetching the data of the drawn job: ${have} of ${want} records`)
    }
    const state = await states.state(job.id, job.round, job.stateHash)
    if (state === undefined) return this.#wait(`fetching the model of the drawn job, round ${job.round}`)
    this.#waiting = undefined
    this.#work = { parent, template, body, job, state, data: records, builtAt: clock.now() }
    return this.#work
  }

  #wait (why: string): undefined {
    if (this.#waiting !== why) this.#d.log.debug('trainer', `waiting: ${why}`)
    this.#waiting = why
    this.#work = undefined
    this.#dirty = true
    return undefined
  }

  #assemble (parent: BlockMeta): AssembledBlock {
    const { payee, pool, rounds, clock } = this.#d
    const parts: Parts = { parent, payee: payee(), transactions: pool.select(parent), seals: rounds.pendingSeals(parent) }
    const last = this.#assembled
    const block = last !== undefined && isSame(last.parts, parts) ? retimeBlock(parent, last.block, clock.now()) : this.#choose(parts)
    this.#assembled = { parts, block }
    return block
  }

  /** A job that ends takes its seals with it, so what does not fit together is chosen again. */
  #choose ({ parent, payee, transactions, seals }: Parts): AssembledBlock {
    const { params, key, clock, log } = this.#d
    const parts = { miner: key.publicKey, payee, timeMs: clock.now() }
    try {
      return assembleBlock(params, parent, { ...parts, transactions, seals })
    } catch (e) {
      log.debug('trainer', `choosing seals again: ${e instanceof Error ? e.message : String(e)}`)
      return assembleBlock(params, parent, { ...parts, transactions, seals: trySeals(params, parent, transactions, seals) })
    }
  }

  // --- results

  async #finish (work: Work, slice: number, result: SliceResult): Promise<void> {
    const { params, key, payloads, replays, clock } = this.#d
    const { template, job } = work
    this.#slices++
    this.#finished = [...this.#finished, clock.now()].slice(-SPEED_SLICES)
    const unsigned: Claim = {
      template,
      slice,
      resultHash: result.stateHash,
      payloadDigest: result.payloadDigest,
      payloadBytes: result.payload.length,
      signature: new Uint8Array(SIGNATURE_BYTES)
    }
    const won = ticketWins(template.target, sliceCost(job.spec), ticket(unsigned))
    const contributes = eligible(params, randomnessBlock(params, work.parent), unsigned)
    if (!won && !contributes) return
    const claim: Claim = { ...unsigned, signature: key.sign(claimId(unsigned)) }
    replays.remember(template, slice, result)
    // Before anyone hears of it: whoever is told must be able to pull it.
    await payloads.put(result.payloadDigest, result.payload, { job: job.id, round: job.round })
    if (won) await this.#submit(work, claim)
    if (contributes) await this.#contribute(claim)
  }

  async #submit (work: Work, claim: Claim): Promise<void> {
    const { chain, submitOwn, log } = this.#d
    // A sibling of the head may still win by its ticket; what is further behind cannot.
    if (work.template.height < chain.head().height) return
    const r = await submitOwn({ header: claim, body: work.body })
    if (r.status === 'added') {
      this.#blocksFound++
      log.info('trainer', `found block ${work.template.height} with slice ${claim.slice} of round ${work.template.round}${r.head ? '' : ' (not the head)'}`)
    } else if (r.status !== 'known') {
      log.warn('trainer', `own block ${work.template.height} ${r.status}: ${r.refusal.reason}, ${r.refusal.detail}`)
    }
    this.#dirty = true
  }

  async #contribute (claim: Claim): Promise<void> {
    const { contributions, publisher, log } = this.#d
    if (!contributions.addOwn(claim)) return
    log.debug('trainer', `contribution: slice ${claim.slice} of round ${claim.template.round}`)
    await publisher.publish({ selector: WORK_CLAIM, value: claim })
  }

  #speed (): number {
    const n = this.#finished.length
    if (n < 2) return 0
    const span = this.#d.clock.now() - this.#finished[0]
    return span <= 0 ? 0 : (n - 1) * 1000 / span
  }

  #ownSealed (records: readonly BlockRecord[]): number {
    const me = toHex(this.#d.key.publicKey)
    let count = 0
    for (const { body } of records) {
      for (const { seal } of body.seals) for (const c of seal.contributions) if (toHex(c.template.miner) === me) count++
    }
    return count
  }
}
