/** A model so small that its states and payloads are some dozens of bytes, with every kind of layer that has weights. */
import { OP_CONV, OP_DENSE, OP_MAX_POOL, type JobSpec } from '../../src/core/codec/jobSpec.ts'
import { benchmarkSpec } from '../../src/core/training/benchmark.ts'
import { opOf } from '../../src/core/training/shape.ts'

export const TINY_SPEC: JobSpec = {
  ...benchmarkSpec,
  channels: 1,
  height: 3,
  width: 3,
  ops: [opOf({ kind: OP_CONV, units: 2, kernel: 2, stride: 1, groups: 1, relu: 1 }), opOf({ kind: OP_MAX_POOL, a: 1, kernel: 2, stride: 2 }), opOf({ kind: OP_DENSE, a: 2, units: 3 })],
  batch: 16,
  stepsPerSlice: 4,
  lr20: 1049
}
