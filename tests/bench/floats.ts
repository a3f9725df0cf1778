/** A float Adam step of the same model in TensorFlow.js: the peer of the exact kernels. */
import * as tf from '@tensorflow/tfjs-core'
import * as tfl from '@tensorflow/tfjs-layers'
import { OP_CONV, OP_DENSE, OP_MAX_POOL, type Model } from '../../src/core/codec/jobSpec.ts'
import { shapeOf } from '../../src/core/training/shape.ts'

/** Chains of the operations that the benchmark models have; TensorFlow.js keeps channels last. */
function layersOf (model: Model): tfl.layers.Layer[] {
  const { ops } = shapeOf(model)
  const flat = model.height * model.width === 1
  const first = { inputShape: flat ? [model.channels] : [model.height, model.width, model.channels] }
  return ops.flatMap(({ op, input }, i): tfl.layers.Layer[] => {
    const rest = i === 0 ? first : {}
    const activation = i === ops.length - 1 ? 'softmax' : op.relu === 1 ? 'relu' : 'linear'
    switch (op.kind) {
      case OP_DENSE: {
        const flatten = input.height * input.width > 1 ? [tfl.layers.flatten()] : []
        return [...flatten, tfl.layers.dense({ units: op.units, activation, ...rest })]
      }
      case OP_CONV: return [tfl.layers.conv2d({ filters: op.units, kernelSize: op.kernel, strides: op.stride, padding: op.padding === 0 ? 'valid' : 'same', activation, ...rest })]
      case OP_MAX_POOL: return [tfl.layers.maxPooling2d({ poolSize: op.kernel, strides: op.stride })]
      default: throw new Error(`the float peer has no operation ${op.kind}`)
    }
  })
}

/** Trains `steps` steps on random records on a backend of TensorFlow.js that its caller has registered. */
export async function floatTrainer (backend: string, model: Model, batch: number): Promise<(steps: number) => Promise<void>> {
  const use = async (): Promise<void> => {
    if (tf.getBackend() === backend) return
    if (!await tf.setBackend(backend)) throw new Error(`TensorFlow.js has no backend ${backend}`)
    await tf.ready()
  }
  await use()
  const net = tfl.sequential({ layers: layersOf(model) })
  net.compile({ optimizer: tf.train.adam(1e-3), loss: 'sparseCategoricalCrossentropy' })
  const flat = model.height * model.width === 1
  const inputs = flat ? tf.randomUniform([batch, model.channels]) : tf.randomUniform([batch, model.height, model.width, model.channels])
  const labels = tf.tensor1d(Array.from({ length: batch }, (_, n) => n % 10), 'float32')
  const train = async (steps: number): Promise<void> => {
    await use()
    // A number read back at the end of every step, as a training loop does that shows its loss.
    for (let i = 0; i < steps; i++) await net.trainOnBatch(inputs, labels)
  }
  await train(1)
  return train
}
