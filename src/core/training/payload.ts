/**
 * A contribution's payload: what a slice changed, eight bits per parameter, and the mean of many
 * (EXACT 9). Layout, per tensor W0, b0, W1, b1, ...: one byte shift, then the int8 q of every
 * element; then fo and fe of every operation but the last as i16 little-endian.
 */
import type { JobSpec, Model } from '../codec/jobSpec.ts'
import type { DecodeError, Decoded } from '../codec/ssz.ts'
import { hash } from '../crypto/hash.ts'
import { bitLength } from './integers.ts'
import { MAX_EXPONENT, MAX_WEIGHT, type ModelState, TRACE } from './modelState.ts'
import { shapeOf } from './shape.ts'

export interface PayloadTensor {
  /** change = values << shift. */
  readonly shift: number
  readonly values: Int8Array
}

export interface Payload {
  /** W0, b0, W1, b1, ... */
  readonly tensors: readonly PayloadTensor[]
  readonly activationExponents: Int32Array
  readonly errorExponents: Int32Array
}

/** Lengths of W0, b0, W1, b1, ... */
const tensorLengths = (model: Model): number[] =>
  shapeOf(model).layers.flatMap(({ outputs, inputs }) => [outputs * inputs, outputs])

const parameterTensors = (state: ModelState): Int32Array[] =>
  state.weights.flatMap((w, l) => [w, state.biases[l]])

/** Bytes of every payload of a job: the size is no secret and no choice. */
export function payloadSize (model: Model): number {
  const { parameters, layers, ops } = shapeOf(model)
  return parameters + 2 * layers.length + 4 * (ops.length - 1)
}

/**
 * The most a weight moves in one step is RN(32767 * lr20, 4) (EXACT 5.7: |u| <= 32767) and the trace
 * of 128, and both ends lie within +-2^30.
 */
function changeBound (spec: Pick<JobSpec, 'stepsPerSlice'>, lr20: number): number {
  const perStep = Math.floor((32767 * lr20 + 8) / 16) + TRACE
  return Math.min(spec.stepsPerSlice * perStep, 2 * MAX_WEIGHT)
}

/** shift = max(0, bitlen(max|D|) - 7). A change of 2^31 does not fit an i32: everything here is exact. */
function encodeTensor (before: Int32Array, after: Int32Array, out: Uint8Array, offset: number): number {
  let most = 0
  for (let i = 0; i < after.length; i++) most = Math.max(most, Math.abs(after[i] - before[i]))
  const shift = Math.max(0, bitLength(most) - 7)
  out[offset++] = shift
  const unit = 2 ** shift
  const half = Math.floor(unit / 2)
  for (let i = 0; i < after.length; i++) {
    // RN(D, shift) = floor((D + half) / 2^shift); dividing by a power of two is exact.
    const q = Math.floor((after[i] - before[i] + half) / unit)
    out[offset++] = Math.max(-127, Math.min(127, q))
  }
  return offset
}

export function encodePayload (before: ModelState, after: ModelState): Uint8Array {
  const from = parameterTensors(before)
  const to = parameterTensors(after)
  const exponents = [...after.activationExponents, ...after.errorExponents]
  const size = to.reduce((sum, t) => sum + 1 + t.length, 0)
  const bytes = new Uint8Array(size + 2 * exponents.length)
  let offset = 0
  for (const [i, tensor] of to.entries()) offset = encodeTensor(from[i], tensor, bytes, offset)
  const view = new DataView(bytes.buffer)
  for (const [i, e] of exponents.entries()) view.setInt16(size + 2 * i, e, true)
  return bytes
}

const malformed = (detail: string): { readonly ok: false, readonly error: DecodeError } =>
  ({ ok: false, error: { reason: 'malformed', detail } })

/**
 * Strict: the exact size, the smallest shift, no change beyond what the slice's steps can make.
 * The values alias `bytes`.
 */
export function decodePayload (spec: Model & Pick<JobSpec, 'stepsPerSlice'>, lr20: number, bytes: Uint8Array): Decoded<Payload> {
  const want = payloadSize(spec)
  if (bytes.length > want) return { ok: false, error: { reason: 'too-large', detail: `${bytes.length} bytes, a payload of this job has ${want}` } }
  if (bytes.length < want) return malformed(`${bytes.length} bytes, a payload of this job has ${want}`)
  const bound = changeBound(spec, lr20)
  const tensors: PayloadTensor[] = []
  let offset = 0
  for (const [t, length] of tensorLengths(spec).entries()) {
    const shift = bytes[offset++]
    const values = new Int8Array(bytes.buffer, bytes.byteOffset + offset, length)
    offset += length
    let most = 0
    for (let i = 0; i < length; i++) most = Math.max(most, Math.abs(values[i]))
    if (most > 127) return malformed(`tensor ${t} has a change of -128`)
    if (shift > 25) return malformed(`tensor ${t} has shift ${shift}, at most 25`)
    // With the smallest shift the largest |D| has its top bit at shift + 6, so its |q| is at least 64.
    if (shift > 0 && most < 64) return { ok: false, error: { reason: 'not-canonical', detail: `tensor ${t} has shift ${shift} but no change above ${most}` } }
    // Rounding adds at most half a unit.
    if (most * 2 ** shift > bound + Math.floor(2 ** shift / 2)) return malformed(`tensor ${t} moves by ${most * 2 ** shift}, at most ${bound} in ${spec.stepsPerSlice} steps`)
    tensors.push({ shift, values })
  }
  const hidden = spec.ops.length - 1
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const exponents = Int32Array.from({ length: 2 * hidden }, (_, i) => view.getInt16(offset + 2 * i, true))
  const wild = exponents.find(e => Math.abs(e) > MAX_EXPONENT)
  if (wild !== undefined) return malformed(`an exponent is ${wild}, outside +-${MAX_EXPONENT}`)
  return { ok: true, value: { tensors, activationExponents: exponents.slice(0, hidden), errorExponents: exponents.slice(hidden) } }
}

export const payloadDigest = (bytes: Uint8Array): Uint8Array => hash('payload', bytes)

/**
 * W + floor((2 sum + n) / (2 n)), clamped. The sum of 32 changes is below 2^37; the quotient's
 * distance to the next integer is 0 or at least 1/64, so the double division floors exactly.
 */
function mergeTensor (before: Int32Array, changes: readonly PayloadTensor[]): Int32Array {
  const n = changes.length
  const values = changes.map(c => c.values)
  const units = changes.map(c => 2 ** c.shift)
  const after = new Int32Array(before.length)
  for (let i = 0; i < after.length; i++) {
    let sum = 0
    for (let c = 0; c < n; c++) sum += values[c][i] * units[c]
    const value = before[i] + Math.floor((2 * sum + n) / (2 * n))
    after[i] = Math.max(-MAX_WEIGHT, Math.min(MAX_WEIGHT, value))
  }
  return after
}

function leastOf (all: readonly Int32Array[]): Int32Array {
  return all[0].map((_, i) => Math.min(...all.map(e => e[i])))
}

/** S_{r+1} from S_r and the payloads that a seal names. The order of the payloads does not matter. */
export function mergePayloads (state: ModelState, payloads: readonly Payload[]): ModelState {
  if (payloads.length === 0) throw new Error('no payloads to merge')
  const merged = parameterTensors(state).map((tensor, t) => mergeTensor(tensor, payloads.map(p => p.tensors[t])))
  return {
    weights: merged.filter((_, t) => t % 2 === 0),
    biases: merged.filter((_, t) => t % 2 === 1),
    activationExponents: leastOf(payloads.map(p => p.activationExponents)),
    errorExponents: leastOf(payloads.map(p => p.errorExponents))
  }
}
