/** Lays out the kernels' memory for one model shape and batch size. */
import { EXP2 as EXP2_TABLE } from '../tables.ts'
import * as at from './assembly/layout.ts'

/** Below this, the kernels' module may keep data of its own. */
const FIRST_FREE = 1024
const PAGE = 65536
/** Inputs of so many steps are handed over at once, bytes: a slice's may be hundreds of megabytes. */
const INPUT_CHUNK = 4 * 1024 * 1024
/** What a vector load may read past a buffer, and the keystream's last pair of blocks. */
const SLACK = 128

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to

export interface LayerPlan {
  readonly inputs: number
  readonly outputs: number
  /** Addresses. */
  readonly record: number
  readonly canonicalWeights: number
  readonly biases: number
}

export interface Plan {
  readonly layers: readonly number[]
  readonly batch: number
  readonly paddedBatch: number
  /** Steps whose inputs fit the input buffer. */
  readonly chunkSteps: number
  /** Bytes of memory in all, whole pages. */
  readonly bytes: number
  /** Addresses. */
  readonly plan: number
  readonly inputs: number
  readonly labels: number
  readonly key: number
  readonly batchMask: number
  readonly probabilities: number
  readonly distances: number
  readonly sums: number
  readonly layerPlans: readonly LayerPlan[]
  /** Writes every address and size; the rest of the memory must be zero. */
  write (memory: Int32Array): void
}

export function planFor (layers: readonly number[], batch: number): Plan {
  let free = FIRST_FREE
  const take = (bytes: number): number => {
    const address = free
    free = roundUp(free + bytes, 64)
    return address
  }
  const count = layers.length - 1
  const paddedBatch = roundUp(batch, 8)
  const features = layers[0]
  const classes = layers[count]
  const widest = Math.max(...layers)
  const widestPadded = roundUp(widest, 8)
  const chunkSteps = Math.max(1, Math.floor(INPUT_CHUNK / (batch * features)))

  const fields: Array<readonly [address: number, value: number]> = []
  const set = (address: number, value: number): number => { fields.push([address, value]); return value }

  const plan = take(at.LAYER_TABLE + at.LAYER_SIZE * count)
  set(plan + at.LAYERS, count)
  set(plan + at.BATCH, batch)
  set(plan + at.BATCH_PADDED, paddedBatch)
  const key = set(plan + at.KEY, take(32))
  const exp2 = set(plan + at.EXP2, take(4 * EXP2_TABLE.length))
  const batchMask = set(plan + at.BATCH_MASK, take(2 * paddedBatch))
  set(plan + at.NOISE_WORDS, take(4 * batch * Math.max(...layers.slice(1)) + SLACK))
  set(plan + at.NOISE_BYTES, take(batch * widest + SLACK))
  set(plan + at.GRADIENT, take(Math.max(32 * roundUp(Math.max(...layers.slice(0, -1)), 4), 4 * widestPadded)))
  const probabilities = set(plan + at.LOGITS, take(4 * classes * paddedBatch))
  const distances = set(plan + at.DISTANCE, take(4 * classes * paddedBatch))
  const sums = set(plan + at.SUM, take(4 * paddedBatch))
  set(plan + at.SAMPLE_PANELS, take(2 * widestPadded * paddedBatch))
  set(plan + at.UNIT_PANELS, take(2 * widestPadded * paddedBatch))

  const layerPlans = layers.slice(1).map((outputs, l): LayerPlan => {
    const inputs = layers[l]
    const paddedInputs = roundUp(inputs, 4)
    const paddedOutputs = roundUp(outputs, 8)
    const elements = paddedInputs * paddedOutputs
    const record = plan + at.LAYER_TABLE + at.LAYER_SIZE * l
    set(record + at.K, inputs)
    set(record + at.N, outputs)
    set(record + at.K_PADDED, paddedInputs)
    set(record + at.N_PADDED, paddedOutputs)
    set(record + at.WEIGHTS, take(4 * elements))
    const canonicalWeights = set(record + at.WEIGHT_MEAN, take(4 * elements))
    set(record + at.WEIGHT_SPREAD, take(4 * elements))
    const biases = set(record + at.BIASES, take(4 * paddedOutputs))
    set(record + at.BIAS_MEAN, take(4 * paddedOutputs))
    set(record + at.BIAS_SPREAD, take(4 * paddedOutputs))
    set(record + at.FORWARD_PANELS, take(2 * elements))
    set(record + at.BACKWARD_PANELS, l === 0 ? 0 : take(2 * elements))
    set(record + at.ACTIVATIONS, take(2 * paddedInputs * paddedBatch))
    set(record + at.ERRORS, take(2 * paddedOutputs * paddedBatch))
    return { inputs, outputs, record, canonicalWeights, biases }
  })
  const inputs = set(plan + at.INPUTS, take(chunkSteps * batch * features + SLACK))
  const labels = set(plan + at.LABELS, take(chunkSteps * batch))

  return {
    layers: [...layers],
    batch,
    paddedBatch,
    chunkSteps,
    bytes: roundUp(free, PAGE),
    plan,
    inputs,
    labels,
    key,
    batchMask,
    probabilities,
    distances,
    sums,
    layerPlans,
    write (memory) {
      for (const [address, value] of fields) memory[address >> 2] = value
      memory.set(EXP2_TABLE, exp2 >> 2)
    }
  }
}
