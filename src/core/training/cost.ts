/**
 * What a slice costs, in cost units (DESIGN 3: a MAC + b parameters). MACs alone misprice small
 * batches, where the optimiser is most of a step.
 */
import type { JobSpec } from '../codec/jobSpec.ts'
import { COST_PER_PARAMETER } from '../params.ts'
import { shapeOf } from './shape.ts'

type Work = Pick<JobSpec, 'layers' | 'batch'>

/** Multiply-accumulates of one step: forward, weight gradients, and input gradients of all layers but the first. */
export function stepMacs (spec: Work): number {
  const { tensors } = shapeOf(spec)
  return spec.batch * tensors.reduce((sum, { outputs, inputs }, l) => sum + outputs * inputs * (l === 0 ? 2 : 3), 0)
}

/** Cost of one step: linear in batch and parameters. Exact: far below 2^53 for every legal spec. */
export function stepCost (spec: Work): number {
  return stepMacs(spec) + COST_PER_PARAMETER * shapeOf(spec).parameters
}

export function sliceCost (spec: Work & Pick<JobSpec, 'stepsPerSlice'>): number {
  return spec.stepsPerSlice * stepCost(spec)
}
