/** What a job spec says about the model's tensors. */
import type { JobSpec } from '../codec/jobSpec.ts'

export interface LayerShape { readonly outputs: number, readonly inputs: number }

export interface Shape {
  /** Widths: input, hidden layers, output. */
  readonly layers: number[]
  /** Weights and biases. */
  readonly parameters: number
  /** Per layer: its weights are [outputs, inputs] row major, its biases [outputs]. */
  readonly tensors: LayerShape[]
}

export function shapeOf (spec: Pick<JobSpec, 'layers'>): Shape {
  const layers = [...spec.layers]
  const tensors = layers.slice(1).map((outputs, l) => ({ outputs, inputs: layers[l] }))
  const parameters = tensors.reduce((sum, t) => sum + t.outputs * (t.inputs + 1), 0)
  return { layers, parameters, tensors }
}
