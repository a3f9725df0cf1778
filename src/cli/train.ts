/**
 * `cw train`: one worker's slices by the network's rules, without a network. Round r is one
 * contribution, merged as a seal would merge it; templates stand on one another as blocks would,
 * with the height for a clock, so the same job and data give the same bits on every backend.
 */
import { JobSpec } from '../core/codec/jobSpec.ts'
import { equalBytes, fromHex, toHex, ZERO32 } from '../core/codec/ssz.ts'
import type { Claim, Template } from '../core/codec/wire.ts'
import { hash, u32le } from '../core/crypto/hash.ts'
import { jobId, specHash, ticket } from '../core/crypto/ids.ts'
import { publicKey } from '../core/crypto/keys.ts'
import { PROTOCOL_VERSION } from '../core/params.ts'
import type { Dataset } from '../core/training/dataset.ts'
import { initialState } from '../core/training/init.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { decodePayload, mergePayloads } from '../core/training/payload.ts'
import { batchIndices, batchKey, noiseKey } from '../core/training/sampling.ts'
import { lr20At } from '../core/training/schedule.ts'
import { decodeState, stateBytes } from '../core/training/stateHash.ts'
import type { Compute } from '../ports/compute.ts'

/** The key a lone worker signs with; it earns nothing, so everybody may know it. */
const WORKER = publicKey(hash('seed', u32le(0)))

export interface Progress {
  /** Local steps done, over all slices. */
  readonly steps: number
  readonly round: number
  readonly state: ModelState
  /** rho of the newest slice: draws the next minibatches. */
  readonly rho: Uint8Array
}

export interface Trained extends Progress {
  readonly interrupted: boolean
  readonly msPerStep: readonly number[]
}

export interface TrainTask {
  readonly spec: JobSpec
  readonly data: Dataset
  readonly compute: Compute
  readonly from?: Progress
  /** Local steps in all; the last slice is cut short if need be. */
  readonly steps: number
  readonly stopped: () => boolean
  readonly onRound: (p: Progress) => Promise<void>
}

export const firstProgress = (spec: JobSpec): Progress => ({ steps: 0, round: 0, state: initialState(spec), rho: hash('rho', specHash(spec)) })

export async function train (task: TrainTask): Promise<Trained> {
  const { spec, data, compute } = task
  const job = jobId(specHash(spec), ZERO32, 0)
  let at = task.from ?? firstProgress(spec)
  const msPerStep: number[] = []
  while (at.steps < task.steps && at.round < spec.rounds) {
    if (task.stopped()) return { ...at, interrupted: true, msPerStep }
    const steps = Math.min(spec.stepsPerSlice, task.steps - at.steps)
    const stateHash = await compute.stateHash(at.state)
    const template: Template = {
      version: PROTOCOL_VERSION, chain: ZERO32, height: at.round + 1, parent: ZERO32, time: at.round + 1, target: 0n,
      bodyRoot: ZERO32, stateRoot: ZERO32, miner: WORKER, payee: WORKER, job, round: at.round, seal: ZERO32, stateHash, randomness: at.rho
    }
    const lr20 = lr20At(spec, at.round)
    const batch = data.gather(batchIndices(batchKey(template, 0), spec.data.trainRecords, steps * spec.batch))
    const result = await compute.runSlice({ spec, state: at.state, lr20, noiseKey: noiseKey(template, 0), steps, inputs: batch.inputs, labels: batch.labels }, 'slice')
    const payload = decodePayload(spec, lr20, result.payload)
    if (!payload.ok) throw new Error(`our own payload was refused: ${payload.error.detail}`)
    const claim: Claim = { template, slice: 0, resultHash: result.stateHash, payloadDigest: result.payloadDigest, payloadBytes: result.payload.length, signature: new Uint8Array(64) }
    at = { steps: at.steps + steps, round: at.round + 1, state: mergePayloads(at.state, [payload.value]), rho: hash('rho', at.rho, ticket(claim)) }
    msPerStep.push(result.elapsedMs / steps)
    await task.onRound(at)
  }
  return { ...at, interrupted: false, msPerStep }
}

const CHECKPOINT = 'commonweight-checkpoint-1'

/** One line of JSON, then the canonical state bytes. */
export function encodeCheckpoint (spec: JobSpec, p: Progress, stateHash: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`${JSON.stringify({ format: CHECKPOINT, spec: toHex(specHash(spec)), steps: p.steps, round: p.round, rho: toHex(p.rho), stateHash: toHex(stateHash) })}\n`)
  const body = stateBytes(p.state)
  const out = new Uint8Array(head.length + body.length)
  out.set(head)
  out.set(body, head.length)
  return out
}

export type CheckpointResult = { readonly ok: true, readonly value: Progress } | { readonly ok: false, readonly reason: string }

export async function decodeCheckpoint (spec: JobSpec, bytes: Uint8Array, compute: Compute): Promise<CheckpointResult> {
  const line = bytes.subarray(0, 1024).indexOf(10)
  if (line < 0) return { ok: false, reason: 'it has no header line' }
  let head: unknown
  try { head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, line))) } catch { return { ok: false, reason: 'its header is not JSON' } }
  const h = head as Record<string, unknown>
  if (h === null || typeof h !== 'object' || h.format !== CHECKPOINT) return { ok: false, reason: `its format is not ${CHECKPOINT}` }
  if (h.spec !== toHex(specHash(spec))) return { ok: false, reason: 'it belongs to another job or other data' }
  const rho = typeof h.rho === 'string' ? fromHex(h.rho, 32) : undefined
  const stateHash = typeof h.stateHash === 'string' ? fromHex(h.stateHash, 32) : undefined
  const { steps, round } = h
  if (rho === undefined || stateHash === undefined || typeof steps !== 'number' || typeof round !== 'number' || !Number.isInteger(steps) || !Number.isInteger(round) || steps < 0 || round < 0) return { ok: false, reason: 'its header is damaged' }
  const state = decodeState(spec, bytes.subarray(line + 1))
  if (!state.ok) return { ok: false, reason: `its state is damaged: ${state.error.detail}` }
  if (!equalBytes(await compute.stateHash(state.value), stateHash)) return { ok: false, reason: 'its state does not match its hash' }
  return { ok: true, value: { steps, round, rho, state: state.value } }
}
