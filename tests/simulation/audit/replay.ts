/**
 * The work of a chain, redone: every state from S_0 by the payloads that its seals name, every slice by
 * the reference kernels, which define the arithmetic. Which records, which keys, which rate, what is
 * hashed and how changes are merged is this file's own (docs/exact.md, sections 5 and 6). Slices are
 * remembered by what defines them.
 */
import { chacha8 } from '@noble/ciphers/chacha.js'
import { referenceKernels } from '../../../src/compute/reference/referenceKernels.ts'
import { H, type Hex, hexOf, merkleRoot, NO_HASH, u32 } from './bytes.ts'
import type { Job } from './ledger.ts'
import { encodeChange, firstState, lr20At, merge, readChange, type State, stateHash } from './states.ts'
import type { Entry } from './tree.ts'
import type { Finding } from './violations.ts'
import { type Claim, claimId, type Seal, sealHash, type Spec, type Template, templateHash } from './wire.ts'

/** All records of a data set, those to train on first: features row major, and a class each. */
export interface Records { readonly features: Uint8Array, readonly labels: Uint8Array }

export interface Supply {
  /** By data root. */
  readonly records: (root: Hex) => Records | undefined
  /** By payload digest. Where it has none, the slice is redone and what comes out is taken. */
  readonly payload?: (digest: Hex) => Uint8Array | undefined
  /** Of the contributions that the block seals those whose slices are redone, too; otherwise only its own. Default: all. */
  readonly contributions?: boolean | ((contribution: Hex) => boolean)
  /** What a slice gives where nobody trains: instead of the reference kernels, which need the records. */
  readonly standIn?: (state: State, noiseKey: Uint8Array) => { readonly after: State, readonly resultHash: Uint8Array }
}

export interface Replayed {
  readonly findings: readonly Finding[]
  /** Slices computed by this call; the others were remembered. */
  readonly slices: number
  /** What could not be checked, and why. Nothing is wrong with it, and nothing is right. */
  readonly unchecked: readonly string[]
}

const zeros = new Uint8Array(64)

/** u32s of a ChaCha8 keystream with nonce 0. */
function * draws (key: Uint8Array): Generator<number> {
  for (let block = 0; ; block++) {
    const bytes = Buffer.from(chacha8(key, new Uint8Array(12), zeros, undefined, block))
    for (let i = 0; i < 64; i += 4) yield bytes.readUInt32LE(i)
  }
}

/** The records of a slice: a shuffle of the training records, and another one when they are used up. */
export function batchRecords (key: Uint8Array, total: number, count: number): number[] {
  const words = draws(key)
  const order = Array.from({ length: total }, (_, i) => i)
  const drawn: number[] = []
  for (let i = 0; i < count; i++) {
    const at = i % total
    const range = total - at
    let x = words.next().value as number
    while (x >= 2 ** 32 - 2 ** 32 % range) x = words.next().value as number
    const pick = at + x % range
    const record = order[pick]
    order[pick] = order[at]
    order[at] = record
    drawn.push(record)
  }
  return drawn
}

export const noiseKey = (t: Template, slice: number): Uint8Array => H('noise', templateHash(t), u32(slice))
export const batchKey = (t: Template, slice: number): Uint8Array => H('batch', t.randomness, t.job, u32(t.round), t.miner, u32(slice))

export function dataRoot ({ features, labels }: Records): Uint8Array {
  const size = features.length / labels.length
  const leaves = Array.from(labels, (label, i) => H('record', Uint8Array.of(label), features.subarray(i * size, (i + 1) * size)))
  return merkleRoot(leaves, (l, r) => H('merkle-node', l, r))
}

interface Slice { readonly resultHash: Hex, readonly payload: Uint8Array, readonly payloadDigest: Hex }

export class Replayer {
  readonly #genesis: Entry
  /** By job and the seal that defines it. */
  readonly #states = new Map<string, State>()
  readonly #slices = new Map<Hex, Slice>()
  readonly #records = new Map<Hex, Records>()
  #computed = 0

  constructor (genesis: Entry) { this.#genesis = genesis }

  replay (entry: Entry, supply: Supply): Replayed {
    const before = this.#computed
    const findings: Finding[] = []
    const unchecked: string[] = []
    const { header, body } = entry.block!
    for (const { seal } of body.seals) this.#seal(entry, seal, supply, findings, unchecked)
    const t = header.template
    const job = entry.ledger.job(hexOf(t.job)) ?? entry.parent!.ledger.job(hexOf(t.job))
    const slice = job === undefined ? 'its job is gone' : this.#slice(entry, job, header, supply)
    if (typeof slice === 'string') unchecked.push(`block ${entry.id}: ${slice}`)
    else {
      if (slice.resultHash !== hexOf(header.resultHash)) findings.push(['result-hash', `claims ${hexOf(header.resultHash)}, is ${slice.resultHash}`])
      if (slice.payloadDigest !== hexOf(header.payloadDigest)) findings.push(['payload-digest', `claims ${hexOf(header.payloadDigest)}, is ${slice.payloadDigest}`])
    }
    return { findings, slices: this.#computed - before, unchecked }
  }

  #seal (entry: Entry, seal: Seal, supply: Supply, findings: Finding[], unchecked: string[]): void {
    const what = `seal ${hexOf(sealHash(seal))}`
    const job = entry.ledger.job(hexOf(seal.job)) ?? entry.parent!.ledger.job(hexOf(seal.job))
    if (job === undefined) {
      unchecked.push(`${what}: its job is gone`)
      return
    }
    const { contributions = true } = supply
    for (const claim of seal.contributions) {
      const id = hexOf(claimId(claim))
      if (!(typeof contributions === 'boolean' ? contributions : contributions(id))) continue
      const slice = this.#slice(entry, job, claim, supply)
      if (typeof slice === 'string') unchecked.push(`contribution ${id}: ${slice}`)
      else if (slice.resultHash !== hexOf(claim.resultHash)) findings.push(['contribution-wrong', `${id} claims ${hexOf(claim.resultHash)}, is ${slice.resultHash}`])
      else if (slice.payloadDigest !== hexOf(claim.payloadDigest)) findings.push(['contribution-wrong', `${id} claims payload ${hexOf(claim.payloadDigest)}, is ${slice.payloadDigest}`])
    }
    const next = this.#defined(entry, job, seal, supply)
    if (typeof next === 'string') unchecked.push(`${what}: ${next}`)
    else if ('wrong' in next) findings.push(['seal-payload', `${what}: ${next.wrong}`])
    else if (hexOf(stateHash(next)) !== hexOf(seal.stateHash)) findings.push(['seal-state-hash', `${what} says ${hexOf(seal.stateHash)}, is ${hexOf(stateHash(next))}`])
  }

  /** The state that a seal defines; a text where that cannot be known. */
  #defined (entry: Entry, job: Job, seal: Seal, supply: Supply): State | string | { readonly wrong: string } {
    const name = `${job.id}/${hexOf(sealHash(seal))}`
    const known = this.#states.get(name)
    if (known !== undefined) return known
    if (seal.round === 0) return this.#keep(name, firstState(job.spec))
    const before = this.#state(entry, job, hexOf(seal.previous), supply)
    if (typeof before === 'string') return before
    const changes = []
    for (const claim of seal.contributions) {
      const payload = this.#payload(entry, job, claim, supply)
      if (typeof payload === 'string') return payload
      const change = readChange(job.spec, seal.round - 1, payload)
      if (typeof change === 'string') return { wrong: `${hexOf(claimId(claim))}: ${change}` }
      changes.push(change)
    }
    return this.#keep(name, merge(before, changes))
  }

  #keep (name: string, state: State): State {
    this.#states.set(name, state)
    return state
  }

  #payload (entry: Entry, job: Job, claim: Claim, supply: Supply): Uint8Array | string {
    const digest = hexOf(claim.payloadDigest)
    const given = supply.payload?.(digest)
    if (given !== undefined && hexOf(H('payload', given)) === digest) return given
    const slice = this.#slice(entry, job, claim, supply)
    if (typeof slice === 'string') return slice
    return slice.payloadDigest === digest ? slice.payload : `payload ${digest} is not to be had`
  }

  /** The state defined by the seal of this hash, on the chain up to `entry`. */
  #state (entry: Entry, job: Job, seal: Hex, supply: Supply): State | string {
    const name = `${job.id}/${seal}`
    const known = this.#states.get(name)
    if (known !== undefined) return known
    if (seal === NO_HASH) return job.id === this.#genesis.ledger.benchmark.id ? this.#keep(name, firstState(job.spec)) : 'the job is not active'
    for (let e: Entry | undefined = entry; e?.block !== undefined; e = e.parent) {
      const found = e.block.body.seals.find(s => hexOf(sealHash(s.seal)) === seal)
      if (found === undefined) continue
      const state = this.#defined(e, job, found.seal, supply)
      return typeof state === 'string' ? state : 'wrong' in state ? state.wrong : state
    }
    return `seal ${seal} is not on the chain`
  }

  #data (spec: Spec, supply: Supply): Records | undefined {
    const root = hexOf(spec.data.root)
    const known = this.#records.get(root)
    if (known !== undefined) return known
    const records = supply.records(root)
    if (records === undefined) return undefined
    if (hexOf(dataRoot(records)) !== root) throw new Error(`the records handed in are not those of ${root}`)
    this.#records.set(root, records)
    return records
  }

  #slice (entry: Entry, job: Job, { template, slice }: Claim, supply: Supply): Slice | string {
    const key = noiseKey(template, slice)
    const known = this.#slices.get(hexOf(key))
    if (known !== undefined) return known
    const made = this.#made(entry, job, { template, slice }, key, supply)
    if (typeof made === 'string') return made
    const { state, after, resultHash } = made
    this.#computed++
    const payload = encodeChange(state, after)
    const result = { resultHash: hexOf(resultHash), payload, payloadDigest: hexOf(H('payload', payload)) }
    this.#slices.set(hexOf(key), result)
    return result
  }

  #made (entry: Entry, job: Job, { template, slice }: Pick<Claim, 'template' | 'slice'>, key: Uint8Array, supply: Supply): { readonly state: State, readonly after: State, readonly resultHash: Uint8Array } | string {
    const { spec } = job
    const records = supply.standIn === undefined ? this.#data(spec, supply) : undefined
    if (records === undefined && supply.standIn === undefined) return `records of ${hexOf(spec.data.root)} are not to be had`
    const state = this.#state(entry, job, hexOf(template.seal), supply)
    if (typeof state === 'string') return state
    if (records === undefined) return { state, ...supply.standIn!(state, key) }
    const drawn = batchRecords(batchKey(template, slice), spec.data.trainRecords, spec.stepsPerSlice * spec.batch)
    const size = spec.data.features
    const inputs = new Uint8Array(drawn.length * size)
    for (const [i, r] of drawn.entries()) inputs.set(records.features.subarray(r * size, (r + 1) * size), i * size)
    const labels = Uint8Array.from(drawn, r => records.labels[r])
    const after = referenceKernels.runSlice({ spec, state, lr20: lr20At(spec, template.round), noiseKey: key, steps: spec.stepsPerSlice, inputs, labels }) as State
    return { state, after, resultHash: stateHash(after) }
  }
}
