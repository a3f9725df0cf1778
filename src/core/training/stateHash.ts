/**
 * The canonical bytes of a model state and the root that commits to them: a merkle root over the
 * tensors W0, b0, W1, b1, ..., fo, fe, each as i32 little-endian.
 */
import type { Model } from '../codec/jobSpec.ts'
import type { Decoded } from '../codec/ssz.ts'
import { hash, u32le } from '../crypto/hash.ts'
import { merkleRoot } from '../crypto/merkle.ts'
import { MAX_EXPONENT, MAX_WEIGHT, type ModelState } from './modelState.ts'
import { shapeOf } from './shape.ts'

/** In the order in which they are hashed and stored. */
export function stateTensors (state: ModelState): Int32Array[] {
  return [...state.weights.flatMap((w, l) => [w, state.biases[l]]), state.activationExponents, state.errorExponents]
}

function writeInt32LE (values: Int32Array, out: DataView, offset: number): void {
  for (let i = 0; i < values.length; i++) out.setInt32(offset + 4 * i, values[i], true)
}

function tensorBytes (values: Int32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4)
  writeInt32LE(values, new DataView(bytes.buffer), 0)
  return bytes
}

/** Bytes of a state: four per parameter and per exponent. */
export function stateSize (model: Model): number {
  const { parameters, ops } = shapeOf(model)
  return 4 * (parameters + 2 * (ops.length - 1))
}

export function stateBytes (state: ModelState): Uint8Array {
  const tensors = stateTensors(state)
  const bytes = new Uint8Array(4 * tensors.reduce((sum, t) => sum + t.length, 0))
  const view = new DataView(bytes.buffer)
  let offset = 0
  for (const tensor of tensors) {
    writeInt32LE(tensor, view, offset)
    offset += 4 * tensor.length
  }
  return bytes
}

/** Strict: exact size, every value within the bounds that training keeps. */
export function decodeState (model: Model, bytes: Uint8Array): Decoded<ModelState> {
  const want = stateSize(model)
  if (bytes.length > want) return { ok: false, error: { reason: 'too-large', detail: `${bytes.length} bytes, a state of this job has ${want}` } }
  if (bytes.length < want) return { ok: false, error: { reason: 'malformed', detail: `${bytes.length} bytes, a state of this job has ${want}` } }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let offset = 0
  let error: string | undefined
  const read = (length: number, bound: number, name: string): Int32Array => {
    const values = new Int32Array(length)
    for (let i = 0; i < length; i++, offset += 4) {
      const value = view.getInt32(offset, true)
      if (value > bound || value < -bound) error ??= `${name}[${i}] is ${value}, outside +-${bound}`
      values[i] = value
    }
    return values
  }
  const weights: Int32Array[] = []
  const biases: Int32Array[] = []
  const { layers, ops } = shapeOf(model)
  for (const [l, { outputs, inputs }] of layers.entries()) {
    weights.push(read(outputs * inputs, MAX_WEIGHT, `weights of layer ${l}`))
    biases.push(read(outputs, MAX_WEIGHT, `biases of layer ${l}`))
  }
  const activationExponents = read(ops.length - 1, MAX_EXPONENT, 'activation exponents')
  const errorExponents = read(ops.length - 1, MAX_EXPONENT, 'error exponents')
  if (error !== undefined) return { ok: false, error: { reason: 'malformed', detail: error } }
  return { ok: true, value: { weights, biases, activationExponents, errorExponents } }
}

/** Whether the tensors of a state have the lengths that this model's have. */
export function isStateOf (model: Model, { weights, biases, activationExponents, errorExponents }: ModelState): boolean {
  const { layers, ops } = shapeOf(model)
  return weights.length === layers.length && layers.every(({ outputs, inputs }, l) => weights[l].length === outputs * inputs && biases[l].length === outputs) &&
    activationExponents.length === ops.length - 1 && errorExponents.length === ops.length - 1
}

export function stateHash (state: ModelState): Uint8Array {
  const leaves = stateTensors(state).map((tensor, index) => hash('tensor', u32le(index), tensorBytes(tensor)))
  return merkleRoot(leaves, (left, right) => hash('tensor-node', left, right))
}
