/** A held-out record as it is drawn: the model knows its shape where the data does not. */
import { describe, expect, it } from 'vitest'
import type { Model } from '../../src/core/codec/jobSpec.ts'
import { benchmarkSpec } from '../../src/core/training/benchmark.ts'
import { type Dataset, newDataset } from '../../src/core/training/dataset.ts'
import { mlp, opOf } from '../../src/core/training/shape.ts'
import { Models } from '../../src/node/models.ts'
import type { JobTip } from '../../src/node/parts.ts'

const SIZE = 3 * 8 * 10
const records = { features: Uint8Array.from({ length: 6 * SIZE }, (_, i) => i % 251), labels: Uint8Array.of(0, 1, 0, 1, 0, 1), trainRecords: 4, classes: 2 }
const perceptron = mlp([SIZE, 16, 2])
const convolutional: Model = { channels: 3, height: 8, width: 10, ops: [opOf({ kind: 1, units: 4, kernel: 3, stride: 1, groups: 1 }), opOf({ a: 1, units: 2 })] }

function sample (model: Model, data: Dataset): readonly number[] {
  const never = (): never => { throw new Error('not used here') }
  const models = new Models({ compute: { evaluate: never, predict: never }, states: { state: never }, data: { held: () => data } })
  const outcome = models.sample({ spec: { ...benchmarkSpec, ...model, data: data.ref } } as JobTip, 1)
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.errors))
  expect(outcome.value.features).toEqual(data.features(5))
  const { channels, height, width } = outcome.value
  return [channels, height, width]
}

describe('a sample', () => {
  it.each<[string, Model, Dataset, readonly number[]]>([
    ['a convolutional model on a set that peers sent', convolutional, newDataset(records), [3, 8, 10]],
    ['a convolutional model on a set of another shape', convolutional, newDataset(records, { shape: { width: 12, height: 20 } }), [3, 8, 10]],
    ['a perceptron on a set that the user brought', perceptron, newDataset(records, { shape: { width: 10, height: 8 } }), [3, 8, 10]],
    ['a perceptron on a set that peers sent', perceptron, newDataset(records), [1, 1, SIZE]]
  ])('%s', (_, model, data, shape) => { expect(sample(model, data)).toEqual(shape) })
})
