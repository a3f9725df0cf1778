/**
 * Redoes slices. What a slice computes depends on its template and index alone, not on what the
 * claim says came out, so results are remembered by noise key: however often a slice is named, this
 * node computes it once.
 */
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { Claim, Template } from '../core/codec/wire.ts'
import { ticketWins } from '../core/consensus/target.ts'
import { ticket } from '../core/crypto/ids.ts'
import { sliceCost } from '../core/training/cost.ts'
import { payloadSize } from '../core/training/payload.ts'
import { batchIndices, batchKey, noiseKey } from '../core/training/sampling.ts'
import { lr20At } from '../core/training/schedule.ts'
import type { ModelState } from '../core/training/modelState.ts'
import type { Dataset } from '../core/training/dataset.ts'
import type { Compute, SliceResult, SliceTask } from '../ports/compute.ts'
import type { PeerId } from '../ports/network.ts'
import { dataFor } from './datasets.ts'
import { Lru } from './lru.ts'
import { eachTime, type Once } from './once.ts'
import type { DataService, Hex, Log, ReplayOptions, ReplayService, StatesService } from './parts.ts'

/** Results remembered: a hash and a digest each. */
const RESULTS_KEPT = 4096

export type Replayed = Awaited<ReturnType<ReplayService['replay']>>
type Done = Extract<Replayed, { kind: 'done' }>

/** Everything that defines slice `slice` of a template, as one task for the kernels. */
export function sliceTask (spec: JobSpec, template: Template, slice: number, state: ModelState, data: Dataset): SliceTask {
  const indices = batchIndices(batchKey(template, slice), spec.data.trainRecords, spec.stepsPerSlice * spec.batch)
  const { inputs, labels } = data.gather(indices)
  return { spec, state, lr20: lr20At(spec, template.round), noiseKey: noiseKey(template, slice), steps: spec.stepsPerSlice, inputs, labels }
}

type Result = Pick<Claim, 'resultHash' | 'payloadDigest'>

/** How what was recomputed differs from what was claimed; undefined where it does not. */
export function differs (claim: Result, r: Result): string | undefined {
  if (!equalBytes(claim.resultHash, r.resultHash)) return `claims the result ${toHex(claim.resultHash).slice(0, 16)}, replay gives ${toHex(r.resultHash).slice(0, 16)}`
  if (!equalBytes(claim.payloadDigest, r.payloadDigest)) return `claims the payload ${toHex(claim.payloadDigest).slice(0, 16)}, replay gives ${toHex(r.payloadDigest).slice(0, 16)}`
  return undefined
}

export interface ReplaysDeps {
  readonly compute: Pick<Compute, 'runSlice'>
  readonly states: Pick<StatesService, 'state'>
  readonly data: Pick<DataService, 'held' | 'want'>
  readonly log: Log
  readonly once?: Once
}

export class Replays implements ReplayService {
  readonly #d: ReplaysDeps
  readonly #done = new Lru<Done>(RESULTS_KEPT)
  readonly #running = new Map<Hex, Promise<Replayed>>()
  #count = 0

  constructor (d: ReplaysDeps) { this.#d = d }

  /** Slices redone by this node, each counted once. */
  get count (): number { return this.#count }

  async replay (claim: Claim, spec: JobSpec, priority: 'replay' | 'background', o: ReplayOptions = {}): Promise<Replayed> {
    const name = toHex(noiseKey(claim.template, claim.slice))
    const known = this.#done.get(name)
    if (known !== undefined) return known
    // A background run is not waited for by something urgent: it would queue behind all slices.
    const runName = `${priority}/${name}`
    const running = this.#running.get(runName) ?? this.#running.get(`replay/${name}`)
    if (running !== undefined) return await running
    const run = this.#runAndKeep(claim, spec, priority, name, o).finally(() => this.#running.delete(runName))
    this.#running.set(runName, run)
    return await run
  }

  /** Redoes it though its block is not here, `from` shows it. Unavailable where not all of what it takes is known. */
  async redo (claim: Claim, spec: JobSpec | undefined, from?: PeerId): Promise<'right' | 'wrong' | 'unavailable'> {
    if (spec === undefined) return 'unavailable'
    // What a header alone shows is held against the dearest slice there is.
    if (!ticketWins(claim.template.target, sliceCost(spec), ticket(claim)) || claim.payloadBytes !== payloadSize(spec)) return 'wrong'
    const r = await this.replay(claim, spec, 'replay', { from })
    if (r.kind !== 'done') return 'unavailable'
    return differs(claim, r) === undefined ? 'right' : 'wrong'
  }

  /** What this node's own miner computed needs no second run. */
  remember (template: Template, slice: number, result: SliceResult): void {
    this.#done.set(toHex(noiseKey(template, slice)), { kind: 'done', resultHash: result.stateHash, payloadDigest: result.payloadDigest, elapsedMs: result.elapsedMs })
  }

  /** Computes again whatever is remembered: for a person who wants to see it done. */
  async replayAfresh (claim: Claim, spec: JobSpec): Promise<Replayed> { return await this.#run(claim, spec, 'replay') }

  async #runAndKeep (claim: Claim, spec: JobSpec, priority: 'replay' | 'background', name: Hex, o: ReplayOptions): Promise<Replayed> {
    const r = await this.#run(claim, spec, priority, o)
    if (r.kind === 'done') this.#done.set(name, r)
    return r
  }

  async #run (claim: Claim, spec: JobSpec, priority: 'replay' | 'background', o: ReplayOptions = {}): Promise<Replayed> {
    const { template, slice } = claim
    const data = dataFor(this.#d.data, spec)
    if (data === undefined) {
      this.#d.data.want(spec)
      return { kind: 'unavailable', detail: `data set ${toHex(spec.data.root).slice(0, 16)} is not held whole yet` }
    }
    const state = await this.#d.states.state(template.job, template.round, template.stateHash, o.from)
    if (state === undefined) return { kind: 'unavailable', detail: `state of round ${template.round} of job ${toHex(template.job).slice(0, 16)} is not to be had` }
    o.begun?.()
    let result: SliceResult
    try {
      result = await this.#d.compute.runSlice((this.#d.once ?? eachTime)('slice task', [template, slice, spec, state, data], () => sliceTask(spec, template, slice, state, data)), priority)
    } catch (e) {
      // A kernel that crashed says nothing about the claim.
      const detail = e instanceof Error ? e.message : String(e)
      this.#d.log.error('replay', `kernel failed: ${detail}`)
      return { kind: 'unavailable', detail: `kernel failed: ${detail}` }
    }
    this.#count++
    return { kind: 'done', resultHash: result.stateHash, payloadDigest: result.payloadDigest, elapsedMs: result.elapsedMs }
  }
}
