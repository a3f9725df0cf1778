/**
 * The job that is always there: what miners train when no client pays. It lives in
 * the genesis block and has no escrow, no deadline and no owner.
 */
import { OPTIMISER_L1_ADAM, SCHEDULE_CONSTANT, type JobSpec } from '../codec/jobSpec.ts'
import { fromHex, ZERO32 } from '../codec/ssz.ts'
import { hash } from '../crypto/hash.ts'
import { jobId, specHash } from '../crypto/ids.ts'
import { MAX_ROUNDS } from '../params.ts'
import { BUILTIN_REF } from './dataset.ts'
import { mlp } from './shape.ts'
import { utf8Bytes } from './utf8.ts'

/**
 * A small model of the built-in digits: a slice takes about a tenth of a second in one WASM tab,
 * and a linear model stays twenty points below it. The rate is constant, so it never stops learning.
 */
export const benchmarkSpec: JobSpec = {
  name: utf8Bytes('digits benchmark') as Uint8Array,
  ...mlp([784, 64, 32, 10]),
  operandBits: 8,
  optimiser: OPTIMISER_L1_ADAM,
  lr20: 1049,
  schedule: SCHEDULE_CONSTANT,
  batch: 32,
  stepsPerSlice: 128,
  inputNoise: 16,
  seed: hash('benchmark-seed'),
  rounds: MAX_ROUNDS,
  data: BUILTIN_REF
}

export const benchmarkId: Uint8Array = jobId(specHash(benchmarkSpec), ZERO32, 0)

/** stateHash(initialState(benchmarkSpec)); a test computes it again. */
export const benchmarkStateHash = fromHex('68b3993b348fae00b70b552b17b62a2f5e4520df0bb7613a1c73b973a41eb18b', 32) as Uint8Array
