/** What a backend must compute to the bit before it may work; under 50 ms for the reference. */
import { toHex } from '../core/codec/ssz.ts'
import { hash } from '../core/crypto/hash.ts'
import { encodePayload } from '../core/training/payload.ts'
import { stateHash } from '../core/training/stateHash.ts'
import { evaluationOf } from './evaluation.ts'
import { goldenTask, type GoldenInput, type GoldenSlice } from './golden.ts'
import type { Kernels } from './kernels.ts'
import { SELF_TEST } from './selfTestSlices.ts'

/** Runs a golden slice and evaluates its end on its own records. */
export async function runGolden (kernels: Kernels, input: GoldenInput): Promise<Pick<GoldenSlice, 'stateHash' | 'payloadDigest' | 'correct' | 'lossBits16'>> {
  const task = goldenTask(input)
  const state = await kernels.runSlice(task)
  const { labels, inputs, spec } = task
  const { correct, lossBits16 } = evaluationOf(await kernels.score({ spec, state, inputs, labels }), labels, spec.data.classes)
  return {
    stateHash: toHex(stateHash(state)),
    payloadDigest: toHex(hash('payload', encodePayload(task.state, state))),
    correct,
    lossBits16
  }
}

/** The first golden slice that the kernels get wrong, in words. */
export async function selfTestFailure (kernels: Kernels): Promise<string | undefined> {
  for (const golden of SELF_TEST) {
    const got = await runGolden(kernels, golden)
    for (const field of ['stateHash', 'payloadDigest', 'correct', 'lossBits16'] as const) {
      if (got[field] !== golden[field]) return `${kernels.backend}: golden slice "${golden.name}" has ${field} ${golden[field]}, computed ${got[field]}`
    }
  }
  return undefined
}
