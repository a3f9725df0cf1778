/** The same models trained in floats by TensorFlow.js on WebGPU: what the exact kernels stand beside. */
import * as tf from '@tensorflow/tfjs-core'
import * as tfl from '@tensorflow/tfjs-layers'
import '@tensorflow/tfjs-backend-webgpu'
import { OP_CONV, OP_MAX_POOL } from '../../../src/core/codec/jobSpec.ts'
import { shapeOf } from '../../../src/core/training/shape.ts'
import { BENCH_MODELS, type BenchModel } from './models.ts'

function floatModel ({ model }: BenchModel): tfl.Sequential {
  const { tensors } = shapeOf(model)
  const flat = tensors[0].height === 1
  const sequential = tfl.sequential()
  let shaped = !flat
  const first = (i: number): object => i > 0 ? {} : { inputShape: flat ? [tensors[0].size] : [tensors[0].height, tensors[0].width, tensors[0].channels] }
  for (const [i, op] of model.ops.entries()) {
    const activation = op.relu === 1 ? 'relu' as const : i === model.ops.length - 1 ? 'softmax' as const : 'linear' as const
    if (op.kind === OP_CONV) sequential.add(tfl.layers.conv2d({ filters: op.units, kernelSize: op.kernel, padding: op.padding > 0 ? 'same' : 'valid', activation, ...first(i) }))
    else if (op.kind === OP_MAX_POOL) sequential.add(tfl.layers.maxPooling2d({ poolSize: op.kernel, strides: op.stride }))
    else {
      if (shaped) sequential.add(tfl.layers.flatten())
      shaped = false
      sequential.add(tfl.layers.dense({ units: op.units, activation, ...first(i) }))
    }
  }
  sequential.compile({ optimizer: tf.train.adam(1e-3), loss: 'sparseCategoricalCrossentropy' })
  return sequential
}

export async function floatTimes (budgetMs: number, say: (line: string) => void): Promise<object[]> {
  if (!await tf.setBackend('webgpu')) throw new Error('TensorFlow.js has no WebGPU here')
  await tf.ready()
  const times: object[] = []
  for (const one of BENCH_MODELS) {
    const model = floatModel(one)
    const { tensors } = shapeOf(one.model)
    const [input] = tensors
    const x = tf.randomUniform(input.height === 1 ? [one.batch, input.size] : [one.batch, input.height, input.width, input.channels])
    const y = tf.tensor1d(Array.from({ length: one.batch }, (_, n) => n % 10), 'float32')
    // trainOnBatch reads the loss back: every step ends on the device.
    const step = async (): Promise<number> => {
      const at = performance.now()
      await model.trainOnBatch(x, y)
      return performance.now() - at
    }
    for (let i = 0; i < 3; i++) await step()
    const all: number[] = []
    const end = performance.now() + budgetMs
    do all.push(await step())
    while (performance.now() < end)
    all.sort((a, b) => a - b)
    times.push({ model: one.name, backend: 'tfjs-webgpu (float Adam)', stepMs: all[all.length >> 1], bestStepMs: all[0] })
    say(`${one.name}, tfjs-webgpu: ${all[all.length >> 1].toFixed(3)} ms a step (best ${all[0].toFixed(3)})`)
  }
  return times
}
