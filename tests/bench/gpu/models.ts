/** The models whose steps are timed against floats. */
import { OP_CONV, OP_MAX_POOL, type Model } from '../../../src/core/codec/jobSpec.ts'
import { mlp, opOf } from '../../../src/core/training/shape.ts'

const conv = (a: number, units: number, kernel: number, padding: number): Model['ops'][number] => opOf({ kind: OP_CONV, a, units, kernel, stride: 1, padding, groups: 1, relu: 1 })
const pool = (a: number): Model['ops'][number] => opOf({ kind: OP_MAX_POOL, a, kernel: 2, stride: 2 })

export interface BenchModel { readonly name: string, readonly model: Model, readonly batch: number }

export const BENCH_MODELS: readonly BenchModel[] = [
  { name: 'MLP 784-128-64-10', batch: 32, model: mlp([784, 128, 64, 10]) },
  {
    name: 'LeNet 28x28', batch: 32,
    model: { channels: 1, height: 28, width: 28, ops: [conv(0, 6, 5, 2), pool(1), conv(2, 16, 5, 0), pool(3), opOf({ a: 4, units: 120, relu: 1 }), opOf({ a: 5, units: 84, relu: 1 }), opOf({ a: 6, units: 10 })] }
  },
  {
    name: 'three convolutions of 32 on 32x32x3', batch: 32,
    model: { channels: 3, height: 32, width: 32, ops: [conv(0, 32, 3, 1), pool(1), conv(2, 32, 3, 1), pool(3), conv(4, 32, 3, 1), pool(5), opOf({ a: 6, units: 10 })] }
  }
]
