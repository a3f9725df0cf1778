/**
 * What a slice costs, in cost units: a MAC of a dense layer is one. MACs alone misprice what is not
 * a product: the optimiser, which is most of a step with a small batch, and the noise, rounding and
 * reordering of every element, which are much of a step of a convolution (DESIGN 3).
 */
import { OP_CONV, OP_DENSE, type JobSpec, type Model } from '../codec/jobSpec.ts'
import { COST_PER_CONV_MAC, COST_PER_ELEMENT, COST_PER_PARAMETER, COST_PER_WINDOW_ELEMENT } from '../params.ts'
import { isMatrixProduct, type OpShape, shapeOf, tensorsRead } from './shape.ts'

type Work = Model & Pick<JobSpec, 'batch'>

/** Multiply-accumulates of one record in one step: forward, weight gradient, and the error of every tensor read but tensor 0. */
function opMacs ({ op, input, output, layer }: OpShape): number {
  if (isMatrixProduct(op.kind)) return output.size * input.channels * (1 + tensorsRead(op).filter(t => t > 0).length)
  if (layer === undefined) return 0
  return output.size * layer.inputs * (op.a === 0 ? 2 : 3)
}

/** Elements of the windows that a convolution gathers, and that its error is spread over. */
const windowElements = ({ op, output, layer }: OpShape): number =>
  op.kind === OP_CONV && layer !== undefined ? output.height * output.width * layer.inputs * op.groups : 0

/** Multiply-accumulates of one step. */
export const stepMacs = (spec: Work): number =>
  spec.batch * shapeOf(spec).ops.reduce((sum, op) => sum + opMacs(op), 0)

/** Cost of one step. Exact: far below 2^53 for every legal spec. */
export function stepCost (spec: Work): number {
  const { ops, tensors, parameters } = shapeOf(spec)
  const products = ops.reduce((sum, op) => sum + opMacs(op) * (op.op.kind === OP_DENSE ? 1 : COST_PER_CONV_MAC), 0)
  const windows = ops.reduce((sum, op) => sum + windowElements(op), 0)
  const elements = tensors.reduce((sum, { size }) => sum + size, 0)
  return spec.batch * (products + COST_PER_WINDOW_ELEMENT * windows + COST_PER_ELEMENT * elements) + COST_PER_PARAMETER * parameters
}

export function sliceCost (spec: Work & Pick<JobSpec, 'stepsPerSlice'>): number {
  return spec.stepsPerSlice * stepCost(spec)
}
