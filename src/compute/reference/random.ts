/** The two random sources: the keyed stream of the network (docs/exact.md, 4), the plain one of the vectors (EXACT 5). */
import { fmix32, key32 } from '../../core/training/integers.ts'
import { ACTIVATION_NOISE, ERROR_NOISE, INPUT_NOISE, inputNoise, noiseBytes, noiseKeyWords, ternaryNoise } from '../../core/training/noise.ts'
import { clamp, roundDithered, roundStochastic } from './integer.ts'
import type { RandomSource } from './network.ts'

const GOLDEN = 0x9e3779b1
const OUTPUT_ROUNDING_TAG = 40
const ERROR_ROUNDING_TAG = 60

/** Everything from one ChaCha8 stream (training/noise.ts); every byte is moved by the low byte of the sum it serves. */
export function keyedRandom (key: Uint8Array, amplitude: number): RandomSource {
  const words = noiseKeyWords(key)
  return {
    inputNoise (step, batch, features) {
      const bytes = noiseBytes(words, step, INPUT_NOISE, batch * features)
      return (sample, feature) => inputNoise(bytes[sample * features + feature], amplitude)
    },
    activationNoise (step, op, batch, { size, height, width }) {
      const P = height * width
      const bytes = noiseBytes(words, step, ACTIVATION_NOISE + op, batch * size)
      return (channel, sample, position, sum) => ternaryNoise((bytes[(channel * batch + sample) * P + position] + sum) & 255)
    },
    error (step, op, batch, { size, height, width }) {
      const P = height * width
      const bytes = noiseBytes(words, step, ERROR_NOISE + op, batch * size)
      return (channel, sample, position, value, shift, trace) => {
        const byte = (bytes[(channel * batch + sample) * P + position] + trace) & 255
        // Rounding and noise from one byte, against each other: what rounds up is noised down.
        return clamp(clamp(roundDithered(value, shift, 255 - byte), 127) + ternaryNoise(byte), 127)
      }
    },
    traced: true
  }
}

/** fmix32 rounding of a dense net with 32-bit keys, no noise, no trace: the trajectory of vectors/ix8-v1.json. */
export function plainRandom (seed: number, layers: number): RandomSource {
  return {
    inputNoise: () => () => 0,
    activationNoise: () => () => 0,
    error (step, op, _batch, { size }) {
      // The error of layer l comes out of the weights of layer l + 1, whose number the tag carries.
      const key = key32(seed, step, op === layers - 1 ? OUTPUT_ROUNDING_TAG : ERROR_ROUNDING_TAG + op + 1)
      return (channel, sample, _position, value, shift) => clamp(roundStochastic(value, shift, fmix32(Math.imul(sample * size + channel, GOLDEN) + key)), 127)
    },
    traced: false
  }
}
