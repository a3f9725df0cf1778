/** Which records are held out when the user brings one file: a fixed permutation decides. */
import { hash, u32le } from '../crypto/hash.ts'
import { batchIndices } from './sampling.ts'

/** One record in six is held out, at least one. */
const HELD_OUT = 6

/** Indices of the records, training first; the same for every set of this many records. */
export function splitOrder (count: number): { readonly order: Uint32Array, readonly trainRecords: number } {
  const order = batchIndices(hash('split', u32le(count)), count, count)
  return { order, trainRecords: count - Math.max(1, Math.floor(count / HELD_OUT)) }
}

export function splitRecords (features: Uint8Array, labels: Uint8Array): { readonly features: Uint8Array, readonly labels: Uint8Array, readonly trainRecords: number } {
  const size = features.length / labels.length
  const { order, trainRecords } = splitOrder(labels.length)
  const outFeatures = new Uint8Array(features.length)
  const outLabels = new Uint8Array(labels.length)
  for (let i = 0; i < order.length; i++) {
    outFeatures.set(features.subarray(order[i] * size, (order[i] + 1) * size), i * size)
    outLabels[i] = labels[order[i]]
  }
  return { features: outFeatures, labels: outLabels, trainRecords }
}
