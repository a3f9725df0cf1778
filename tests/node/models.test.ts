/**
 * Models that are tried. A held-out record as it is drawn: the model knows its shape where the data does not.
 * A model of a table: asked in the table's own units, here and from its file elsewhere.
 */
import { describe, expect, it } from 'vitest'
import type { Model } from '../../src/core/codec/jobSpec.ts'
import { benchmarkSpec } from '../../src/core/training/benchmark.ts'
import { type Dataset, newDataset } from '../../src/core/training/dataset.ts'
import { datasetFromCsv } from '../../src/core/training/csv.ts'
import { initialState } from '../../src/core/training/init.ts'
import { mlp, opOf } from '../../src/core/training/shape.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import { scaleRow } from '../../src/core/training/table.ts'
import { createInlineCompute } from '../../src/compute/inline.ts'
import { DatasetStore } from '../../src/node/datasetStore.ts'
import { RingLog } from '../../src/node/log.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ManualClock } from './chainRig.ts'
import { Models } from '../../src/node/models.ts'
import type { JobTip } from '../../src/node/parts.ts'

const SIZE = 3 * 8 * 10
const records = { features: Uint8Array.from({ length: 6 * SIZE }, (_, i) => i % 251), labels: Uint8Array.of(0, 1, 0, 1, 0, 1), trainRecords: 4, classes: 2 }
const perceptron = mlp([SIZE, 16, 2])
const convolutional: Model = { channels: 3, height: 8, width: 10, ops: [opOf({ kind: 1, units: 4, kernel: 3, stride: 1, groups: 1 }), opOf({ a: 1, units: 2 })] }

function sample (model: Model, data: Dataset): readonly number[] {
  const never = (): never => { throw new Error('not used here') }
  const models = new Models({ compute: { evaluate: never, predict: never }, states: { state: never }, data: { held: () => data, tableOf: () => undefined } })
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

describe('a model of a table', () => {
  const computing = createInlineCompute('reference')
  const text = `a,b,label\n${Array.from({ length: 40 }, (_, i) => `${i / 4},${100 - 3 * i},${i < 20 ? 'cat' : 'dog'}\n`).join('')}`
  const made = datasetFromCsv({ train: new TextEncoder().encode(text) })
  if (!made.ok) throw new Error(JSON.stringify(made.errors))
  const data = made.value
  const spec = { ...benchmarkSpec, ...mlp([2, 8, 2]), batch: 16, data: data.ref }
  const state = initialState(spec)
  const tip = { job: { id: new Uint8Array(32).fill(0xab), spec }, spec, round: 7, stateHash: stateHash(state) } as unknown as JobTip
  const tab = (held: Dataset | undefined): Models => new Models({ compute: { evaluate: async task => await (await computing).evaluate(task), predict: async task => await (await computing).predict(task) }, states: { state: async () => state }, data: { held: () => held, tableOf: () => held?.columns === undefined ? undefined : { columns: held.columns, classes: held.classNames } } })
  const value = <T>(outcome: { readonly ok: true, readonly value: T } | { readonly ok: false, readonly errors: unknown }): T => {
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.errors))
    return outcome.value
  }
  const ROWS = [['0', '100'], ['9.75', '-17'], ['3.3', '41'], ['-5', '41']]

  it('answers the same to a row as to the scaled bytes, by name, here and from its file in another profile', async () => {
    const owner = tab(data)
    const other = tab(undefined)
    const { bytes } = value(await owner.download(tip))
    const opened = value(other.open(bytes))
    expect(opened).toMatchObject({ round: 7, features: 2, classes: 2, stateHash: Buffer.from(tip.stateHash).toString('hex') })
    const file = other.opened(opened.id)!
    expect(other.table(file)).toEqual(owner.table(tip))
    for (const row of ROWS) {
      const here = value(await owner.predictRow(tip, row))
      const scaled = value(await owner.predict(tip, here.features))
      expect(here).toMatchObject(scaled)
      expect(value(await other.predictRow(file, row))).toEqual(here)
      expect(here.classNames).toEqual(['cat', 'dog'])
      expect(here.outside).toEqual(Number(row[0]) < 0 ? [0] : [])
    }
  })

  it('is known by its numbers alone where the table was not read, as before', async () => {
    const stranger = tab(newDataset({ features: Uint8Array.from(data.gather(Uint32Array.from({ length: 40 }, (_, i) => i)).inputs), labels: data.gather(Uint32Array.from({ length: 40 }, (_, i) => i)).labels, trainRecords: data.ref.trainRecords, classes: 2 }))
    const opened = value(stranger.open(value(await stranger.download(tip)).bytes))
    const file = stranger.opened(opened.id)!
    expect([stranger.table(tip), stranger.table(file)]).toEqual([undefined, undefined])
    expect(value(await stranger.predict(file, Uint8Array.of(1, 2))).classNames).toEqual(['0', '1'])
    expect(await stranger.predictRow(file, ROWS[0])).toMatchObject({ ok: false, errors: [{ field: 'row' }] })
  })

  it('keeps its columns over a reload', async () => {
    const storage = new MemoryStorage(new MemoryDisk())
    await new DatasetStore(storage, new RingLog(new ManualClock(0))).putAll(data)
    const note = await new DatasetStore(storage, new RingLog(new ManualClock(0))).note(Buffer.from(data.ref.root).toString('hex'))
    expect(note?.display).toMatchObject({ columns: data.columns, classNames: ['cat', 'dog'] })
  })

  it('shows a held-out record in the units of the table', () => {
    const shown = value(tab(data).sample(tip, 0))
    expect(scaleRow({ columns: data.columns!, classes: [] }, shown.row!)).toEqual({ ok: true, value: { features: shown.features, outside: [] } })
  })

  it('is refused by the name of what is wrong, and only the last files stay open', async () => {
    const one = tab(data)
    expect(one.open(new Uint8Array(3))).toEqual({ ok: false, errors: [{ field: 'file', message: 'this is no model file that can be read (model-head): it does not begin with a line of text' }] })
    const { bytes } = value(await one.download(tip))
    const ids = [1, 2, 3].map(() => value(one.open(bytes)).id)
    expect(ids.map(id => one.opened(id) !== undefined)).toEqual([false, true, true])
  })
})
