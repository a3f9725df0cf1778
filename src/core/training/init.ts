/** S_0 from the job's seed alone (EXACT 5, "Init"; keyed as EXACT 9 says). */
import type { JobSpec, Model } from '../codec/jobSpec.ts'
import { firstU32, hash } from '../crypto/hash.ts'
import { fmix32, isqrt, key32 } from './integers.ts'
import type { ModelState } from './modelState.ts'
import { shapeOf, type LayerShape } from './shape.ts'

const INITIAL_ACTIVATION_EXPONENT = 4
const INITIAL_ERROR_EXPONENT = 8
/** The step counter of initialisation: no training step has it. */
const INIT_STEP = 0xffffffff
const INIT_TAG = 100

/**
 * Uniform weights of variance c/3K: c = 6 before a ReLU, 3 elsewhere, K inputs.
 * lim <= 32767, so u * 2 * lim < 2^16 * 2^16 fits a u32, and a weight is at most 32767 * 2^12 < 2^27.
 */
function initialWeights (seed32: number, layer: number, relu: boolean, { outputs, inputs }: LayerShape): Int32Array {
  const limit = Math.min(32767, isqrt(Math.floor((relu ? 6 : 3) * 0x1_0000_0000 / inputs)))
  const key = key32(seed32, INIT_STEP, INIT_TAG + layer)
  const weights = new Int32Array(outputs * inputs)
  for (let j = 0; j < weights.length; j++) {
    const u = fmix32(Math.imul(j, 0x9e3779b1) + key) >>> 16
    weights[j] = ((Math.imul(u, 2 * limit) >>> 16) - limit) << 12
  }
  return weights
}

/** The initial state for a 32-bit seed: what the vectors of EXACT 5 give. */
export function stateFromSeed32 (model: Model, seed32: number): ModelState {
  const { ops, layers } = shapeOf(model)
  const hidden = ops.length - 1
  return {
    weights: ops.flatMap(({ op, layer }) => layer === undefined ? [] : [initialWeights(seed32, layer.index, op.relu === 1, layer)]),
    biases: layers.map(({ outputs }) => new Int32Array(outputs)),
    activationExponents: new Int32Array(hidden).fill(INITIAL_ACTIVATION_EXPONENT),
    errorExponents: new Int32Array(hidden).fill(INITIAL_ERROR_EXPONENT)
  }
}

export function initialState (spec: Model & Pick<JobSpec, 'seed'>): ModelState {
  return stateFromSeed32(spec, firstU32(hash('init', spec.seed)))
}
