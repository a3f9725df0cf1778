/** Random tasks for holding one backend against another. */
import { toHex } from '../../src/core/codec/ssz.ts'
import { type GoldenInput, goldenTask } from '../../src/compute/golden.ts'
import type { ModelState } from '../../src/core/training/modelState.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import type { SliceTask } from '../../src/ports/compute.ts'

export const input = (layers: GoldenInput['layers'], batch: number, steps: number, rest: Partial<GoldenInput> = {}): GoldenInput => ({
  name: '', layers, batch, steps, inputNoise: 16, lr20: 1049, seed: 1, state: 'initial', inputs: 'random', ...rest
})

export const task = (layers: GoldenInput['layers'], batch: number, steps: number, rest: Partial<GoldenInput> = {}): SliceTask =>
  goldenTask(input(layers, batch, steps, rest))

export const hashOf = (state: ModelState): string => toHex(stateHash(state))
