/** The two random sources: the keyed stream of the network (EXACT 9), the plain one of the vectors (EXACT 5). */
import { fmix32, key32 } from '../../core/training/integers.ts'
import { ERROR_NOISE, errorNoise, INPUT_NOISE, inputNoise, noiseBytes, noiseKeyWords, noiseWords, ROUNDING } from '../../core/training/noise.ts'
import type { RandomSource } from './network.ts'

const GOLDEN = 0x9e3779b1
const OUTPUT_ROUNDING_TAG = 40
const ERROR_ROUNDING_TAG = 60

/** Everything from one ChaCha8 stream: training/noise.ts. */
export function keyedRandom (key: Uint8Array, amplitude: number): RandomSource {
  const words = noiseKeyWords(key)
  return {
    inputNoise (step, batch, features) {
      const bytes = noiseBytes(words, step, INPUT_NOISE, batch * features)
      return (sample, unit) => inputNoise(bytes[sample * features + unit], amplitude)
    },
    rounding (step, layer, batch, units) {
      const stream = noiseWords(words, step, ROUNDING + layer, batch * units)
      return (sample, unit) => stream[unit * batch + sample]
    },
    errorNoise (step, layer, batch, units) {
      const bytes = noiseBytes(words, step, ERROR_NOISE + layer, batch * units)
      return (sample, unit) => errorNoise(bytes[unit * batch + sample])
    }
  }
}

/** fmix32 rounding with 32-bit keys and no noise: the trajectory of vectors/ix8-v1.json. */
export function plainRandom (seed: number, layers: number): RandomSource {
  const none = (): number => 0
  return {
    inputNoise: () => none,
    rounding (step, layer, _batch, units) {
      // The error of layer l comes out of the weights of layer l + 1, whose number the tag carries.
      const key = key32(seed, step, layer === layers - 1 ? OUTPUT_ROUNDING_TAG : ERROR_ROUNDING_TAG + layer + 1)
      return (sample, unit) => fmix32(Math.imul(sample * units + unit, GOLDEN) + key)
    },
    errorNoise: () => none
  }
}
