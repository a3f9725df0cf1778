/**
 * What a slice costs, in cost units: a MAC of a dense layer is one. MACs alone misprice what is not
 * a product: the optimiser, which is most of a step with a small batch, and the noise, rounding and
 * reordering of every element, which are much of a step of a convolution.
 */
import { OP_CONV, OP_DENSE, type JobSpec, type Model } from '../codec/jobSpec.ts'
import { COST_PER_CONV_MAC, COST_PER_ELEMENT, COST_PER_INPUT_ELEMENT, COST_PER_PARAMETER, COST_PER_POOL_ELEMENT, COST_PER_WINDOW_ELEMENT } from '../params.ts'
import { elementsRead, isMatrixProduct, isWindowed, type OpShape, type Shape, shapeOf, tensorsRead, windowTaps } from './shape.ts'

type Work = Model & Pick<JobSpec, 'batch'>

/**
 * Multiply-accumulates of one record in one step: forward, weight gradient, and the error of every
 * tensor read but tensor 0. A product with the zeros around an input is none: its outcome is known.
 */
function opMacs ({ op, input, output, layer }: OpShape): number {
  if (isMatrixProduct(op.kind)) return output.size * input.channels * (1 + tensorsRead(op).filter(t => t > 0).length)
  if (layer === undefined) return 0
  const products = op.kind === OP_CONV ? op.units * input.channels / op.groups * windowTaps(op, input) : output.size * layer.inputs
  return products * (op.a === 0 ? 2 : 3)
}

/** Units for the elements that windows gather from a tensor, and that their errors are spread over. */
function windowCost ({ op, input }: OpShape): number {
  if (!isWindowed(op)) return 0
  return input.channels * windowTaps(op, input) * (op.kind === OP_CONV ? COST_PER_WINDOW_ELEMENT : COST_PER_POOL_ELEMENT * (op.a === 0 ? 1 : 2))
}

/** Elements of tensor t that are read: of the others nobody need know the value. */
function elementsOf ({ ops, tensors }: Shape, t: number): number {
  const reads = ops.flatMap(({ op, input }) => op.a === t ? [elementsRead(op, input)] : tensorsRead(op).includes(t) ? [tensors[t].size] : [])
  return reads.length === 0 ? tensors[t].size : Math.max(...reads)
}

/** Multiply-accumulates of one step. */
export const stepMacs = (spec: Work): number =>
  spec.batch * shapeOf(spec).ops.reduce((sum, op) => sum + opMacs(op), 0)

/** Cost of one step. Exact: far below 2^53 for every legal spec. */
export function stepCost (spec: Work): number {
  const shape = shapeOf(spec)
  const products = shape.ops.reduce((sum, op) => sum + opMacs(op) * (op.op.kind === OP_DENSE ? 1 : COST_PER_CONV_MAC), 0)
  const windows = shape.ops.reduce((sum, op) => sum + windowCost(op), 0)
  const elements = shape.tensors.reduce((sum, _, t) => sum + elementsOf(shape, t) * (t === 0 ? COST_PER_INPUT_ELEMENT : COST_PER_ELEMENT), 0)
  return spec.batch * (products + windows + elements) + COST_PER_PARAMETER * shape.parameters
}

export function sliceCost (spec: Work & Pick<JobSpec, 'stepsPerSlice'>): number {
  return spec.stepsPerSlice * stepCost(spec)
}
