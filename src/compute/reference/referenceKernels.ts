/** The slow kernels that define the fast ones. */
import type { ModelState } from '../../core/training/modelState.ts'
import type { EvaluationTask, SliceTask } from '../../ports/compute.ts'
import type { Scores, SyncKernels } from '../kernels.ts'
import { forward, networkFrom, plainInputs, softmax, stateOf, trainStep } from './network.ts'
import { keyedRandom } from './random.ts'

function runSlice ({ spec, state, lr20, noiseKey, steps, inputs, labels }: SliceTask): ModelState {
  const { batch } = spec
  const network = networkFrom(spec, state)
  const random = keyedRandom(noiseKey, spec.inputNoise)
  const stride = batch * network.shape.tensors[0].size
  for (let step = 0; step < steps; step++) {
    trainStep(
      network, step, inputs.subarray(step * stride, (step + 1) * stride),
      labels.subarray(step * batch, (step + 1) * batch), lr20, random
    )
  }
  return stateOf(network)
}

function score ({ spec, state, inputs, labels }: EvaluationTask): Scores {
  const network = networkFrom(spec, state)
  const { tensors } = network.shape
  const count = labels.length
  const pass = forward(network, plainInputs(inputs, count, tensors[0]), count)
  return softmax(pass.tensors[pass.tensors.length - 1], count, tensors[tensors.length - 1].size)
}

export const referenceKernels: SyncKernels = { backend: 'reference', runSlice, score }
