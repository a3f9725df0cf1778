import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { trainingVectors } from '../../../scripts/make-training-vectors.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { benchmarkId, benchmarkStateHash } from '../../../src/core/training/benchmark.ts'
import { BUILTIN_ROOT } from '../../../src/core/training/digits.ts'

const golden = JSON.parse(readFileSync(new URL('../../vectors/training.json', import.meta.url), 'utf8')) as {
  readonly benchmark: { readonly id: string, readonly stateHash: string }
  readonly digits: { readonly root: string }
}

describe('golden values of training', () => {
  it('computes them all again', () => {
    expect(trainingVectors()).toEqual(golden)
  })

  it('has them as constants where nobody computes them', () => {
    expect(toHex(BUILTIN_ROOT)).toBe(golden.digits.root)
    expect(toHex(benchmarkStateHash)).toBe(golden.benchmark.stateHash)
    expect(toHex(benchmarkId)).toBe(golden.benchmark.id)
  })
})
