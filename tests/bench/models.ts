/** The models that every benchmark of kernels trains: a dense net, a LeNet, a net of three convolutions on colour pictures. */
import { OP_CONV, OP_DENSE, OP_MAX_POOL, type Model, type Op } from '../../src/core/codec/jobSpec.ts'
import { mlp, opOf } from '../../src/core/training/shape.ts'

export interface BenchModel {
  readonly name: string
  readonly model: Model
  readonly batch: number
  /** Steps of one timed slice. */
  readonly steps: number
}

/** Each operation reads the one before it. */
const chain = (channels: number, side: number, ops: ReadonlyArray<Partial<Op>>): Model =>
  ({ channels, height: side, width: side, ops: ops.map((op, a) => opOf({ a, ...op })) })

const conv = (units: number, kernel: number, padding = 0): Partial<Op> => ({ kind: OP_CONV, units, kernel, stride: 1, padding, groups: 1, relu: 1 })
const pool: Partial<Op> = { kind: OP_MAX_POOL, kernel: 2, stride: 2 }
const dense = (units: number, relu = 0): Partial<Op> => ({ kind: OP_DENSE, units, relu })

export const BENCH_MODELS: readonly BenchModel[] = [
  { name: '784-128-64-10, batch 32', model: mlp([784, 128, 64, 10]), batch: 32, steps: 64 },
  { name: 'LeNet on 1x28x28, batch 64', model: chain(1, 28, [conv(8, 5), pool, conv(16, 5), pool, dense(64, 1), dense(10)]), batch: 64, steps: 8 },
  { name: '3 x conv 32 on 3x32x32, batch 32', model: chain(3, 32, [conv(32, 3, 1), pool, conv(32, 3, 1), pool, conv(32, 3, 1), pool, dense(10)]), batch: 32, steps: 4 }
]
