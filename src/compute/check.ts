/** The kernels trust their task; a wrong one is a bug of the caller and is thrown here, before it can write anywhere. */
import type { JobSpec } from '../core/codec/jobSpec.ts'
import { MAX_BATCH } from '../core/params.ts'
import { graphErrors } from '../core/training/graphRules.ts'
import type { ModelState } from '../core/training/modelState.ts'
import { shapeOf } from '../core/training/shape.ts'
import type { EvaluationTask, SliceTask } from '../ports/compute.ts'

const AMPLITUDES = [0, 1, 2, 4, 8, 16, 32]

function must (ok: boolean, what: string): void {
  if (!ok) throw new Error(`compute task: ${what}`)
}

function checkModel (spec: JobSpec, state: ModelState): void {
  must(spec.batch >= 1 && spec.batch <= MAX_BATCH, `batch ${spec.batch}`)
  const [wrong] = graphErrors(spec, spec.batch)
  must(wrong === undefined, wrong === undefined ? '' : `${wrong.field} ${wrong.message}`)
  const { layers, ops, tensors } = shapeOf(spec)
  must(tensors[0].size === spec.data.features && tensors[ops.length].size === spec.data.classes, 'a model that does not fit its data')
  must(state.weights.length === layers.length && state.biases.length === layers.length, 'state of another depth')
  for (const [l, { outputs, inputs }] of layers.entries()) {
    must(state.weights[l].length === outputs * inputs && state.biases[l].length === outputs, `state of another shape in layer ${l}`)
  }
  must(state.activationExponents.length === ops.length - 1 && state.errorExponents.length === ops.length - 1, 'exponents of another depth')
}

function checkRecords ({ data }: JobSpec, inputs: Uint8Array, labels: Uint8Array, records: number): void {
  must(labels.length === records, `${labels.length} labels for ${records} records`)
  must(inputs.length === records * data.features, `${inputs.length} feature bytes for ${records} records`)
  must(labels.every(label => label < data.classes), `a label is not below ${data.classes}`)
}

export function checkSlice (task: SliceTask): void {
  checkModel(task.spec, task.state)
  must(AMPLITUDES.includes(task.spec.inputNoise), `input noise ${task.spec.inputNoise}`)
  must(Number.isInteger(task.steps) && task.steps >= 1, `${task.steps} steps`)
  must(Number.isInteger(task.lr20) && task.lr20 >= 1 && task.lr20 <= 65535, `lr20 ${task.lr20}`)
  must(task.noiseKey.length === 32, `noise key of ${task.noiseKey.length} bytes`)
  checkRecords(task.spec, task.inputs, task.labels, task.steps * task.spec.batch)
}

export function checkEvaluation (task: EvaluationTask): void {
  checkModel(task.spec, task.state)
  checkRecords(task.spec, task.inputs, task.labels, task.labels.length)
}
