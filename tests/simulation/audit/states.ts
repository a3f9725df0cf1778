/** States of models and the changes that lead from one to the next: docs/exact.md, sections 5 and 6. */
import { firstU32, H, merkleRoot, u32 } from './bytes.ts'
import { layersOf } from './model.ts'
import type { Spec } from './wire.ts'

export interface State {
  readonly weights: Int32Array[]
  readonly biases: Int32Array[]
  /** fo and fe. */
  readonly activationExponents: Int32Array
  readonly errorExponents: Int32Array
}

const parameterTensors = (s: State): Int32Array[] => s.weights.flatMap((w, l) => [w, s.biases[l]])

function int32Bytes (values: Int32Array): Uint8Array {
  const out = Buffer.alloc(4 * values.length)
  values.forEach((v, i) => out.writeInt32LE(v, 4 * i))
  return out
}

export function stateHash (s: State): Uint8Array {
  const leaves = [...parameterTensors(s), s.activationExponents, s.errorExponents].map((tensor, i) => H('tensor', u32(i), int32Bytes(tensor)))
  return merkleRoot(leaves, (l, r) => H('tensor-node', l, r))
}

function fmix32 (x: number): number {
  let h = x >>> 0
  h = Math.imul(h ^ h >>> 16, 0x85EBCA6B)
  h = Math.imul(h ^ h >>> 13, 0xC2B2AE35)
  return (h ^ h >>> 16) >>> 0
}

function isqrt (n: bigint): bigint {
  let low = 0n
  let high = n + 1n
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    if (middle * middle <= n) low = middle
    else high = middle
  }
  return low
}

/** S_0. */
export function firstState (spec: Spec): State {
  const seed32 = firstU32(H('init', spec.seed))
  const layers = layersOf(spec)
  const hidden = spec.ops.length - 1
  return {
    weights: layers.map(({ units, inputs, relu }, l) => {
      const inner = fmix32(Math.imul(0xFFFFFFFF, 0x85EBCA77) + Math.imul(100 + l, 0xC2B2AE3D) + 0x27220A95)
      const key = fmix32(Math.imul(seed32, 0x9E3779B1) ^ inner)
      const root = Number(isqrt((relu ? 6n : 3n) * 2n ** 32n / BigInt(inputs)))
      const lim = Math.min(32767, root)
      return Int32Array.from({ length: units * inputs }, (_, j) => {
        const u = fmix32(Math.imul(j, 0x9E3779B1) + key) >>> 16
        return (Math.floor(u * 2 * lim / 65536) - lim) * 4096
      })
    }),
    biases: layers.map(({ units }) => new Int32Array(units)),
    activationExponents: new Int32Array(hidden).fill(4),
    errorExponents: new Int32Array(hidden).fill(8)
  }
}

/** Learning rate of the slices that start from S_round, times 2^20. */
export function lr20At (spec: Spec, round: number): number {
  const last = spec.rounds - 1
  if (spec.schedule === 0 || last === 0) return spec.lr20
  const r = Math.min(round, last)
  return Math.max(1, Math.floor(spec.lr20 * (20 * last - 19 * r) / (20 * last)))
}

const bitlen = (n: number): number => n === 0 ? 0 : n.toString(2).length
const clamp = (x: number, m: number): number => Math.max(-m, Math.min(m, x))

/** The payload of the slice that led from one state to another. */
export function encodeChange (before: State, after: State): Uint8Array {
  const from = parameterTensors(before)
  const parts = parameterTensors(after).map((tensor, t) => {
    const change = Array.from(tensor, (x, i) => x - from[t][i])
    const shift = Math.max(0, bitlen(change.reduce((m, d) => Math.max(m, Math.abs(d)), 0)) - 7)
    const half = shift === 0 ? 0 : 2 ** (shift - 1)
    return Buffer.from([shift, ...change.map(d => clamp(Math.floor((d + half) / 2 ** shift), 127) & 255)])
  })
  const exponents = [...after.activationExponents, ...after.errorExponents]
  const tail = Buffer.alloc(2 * exponents.length)
  exponents.forEach((e, i) => tail.writeInt16LE(e, 2 * i))
  return Buffer.concat([...parts, tail])
}

export interface Change {
  readonly tensors: ReadonlyArray<{ readonly shift: number, readonly q: readonly number[] }>
  readonly activationExponents: readonly number[]
  readonly errorExponents: readonly number[]
}

/** A payload, or why it is none of slices that start from S_round. */
export function readChange (spec: Spec, round: number, payload: Uint8Array): Change | string {
  const step = Math.floor((32767 * lr20At(spec, round) + 8) / 16) + 128
  const bound = Math.min(spec.stepsPerSlice * step, 2 ** 31)
  const lengths = layersOf(spec).flatMap(({ units, inputs }) => [units * inputs, units])
  const hidden = spec.ops.length - 1
  if (payload.length !== lengths.reduce((sum, n) => sum + n + 1, 4 * hidden)) return `${payload.length} bytes`
  const b = Buffer.from(payload)
  let at = 0
  const tensors: Array<Change['tensors'][number]> = []
  for (const length of lengths) {
    const shift = b.readUInt8(at++)
    const q = Array.from({ length }, (_, i) => b.readInt8(at + i))
    at += length
    const most = q.reduce((m, x) => Math.max(m, Math.abs(x)), 0)
    if (most > 127) return 'a change of -128'
    if (shift > 25) return `a shift of ${shift}`
    if (shift > 0 && most < 64) return `a shift of ${shift} for a change of ${most}`
    if (most * 2 ** shift > bound + Math.floor(2 ** shift / 2)) return `a change of ${most * 2 ** shift}, at most ${bound}`
    tensors.push({ shift, q })
  }
  const exponents = Array.from({ length: 2 * hidden }, (_, i) => b.readInt16LE(at + 2 * i))
  if (exponents.some(e => Math.abs(e) > 1023)) return 'an exponent above 1023'
  return { tensors, activationExponents: exponents.slice(0, hidden), errorExponents: exponents.slice(hidden) }
}

/** S_{r+1}. */
export function merge (s: State, changes: readonly Change[]): State {
  const n = changes.length
  const merged = parameterTensors(s).map((tensor, t) => Int32Array.from(tensor, (x, i) => {
    const sum = changes.reduce((total, { tensors }) => total + tensors[t].q[i] * 2 ** tensors[t].shift, 0)
    return clamp(x + Number(floorDiv(2n * BigInt(sum) + BigInt(n), 2n * BigInt(n))), 2 ** 30)
  }))
  const lowest = (of: (c: Change) => readonly number[]): Int32Array => Int32Array.from(of(changes[0]), (_, i) => Math.min(...changes.map(c => of(c)[i])))
  return {
    weights: merged.filter((_, t) => t % 2 === 0),
    biases: merged.filter((_, t) => t % 2 === 1),
    activationExponents: lowest(c => c.activationExponents),
    errorExponents: lowest(c => c.errorExponents)
  }
}

function floorDiv (a: bigint, b: bigint): bigint {
  const q = a / b
  return a % b < 0n ? q - 1n : q
}
