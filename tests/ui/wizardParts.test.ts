/** What the wizard is made of: presets, layers as data, outlines, pictures. Pure. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { outlineModel } from '../../src/bridge/modelOutline.ts'
import { MIN_BATCH } from '../../src/core/params.ts'
import { parseJobJson, templateErrors } from '../../src/core/training/jobJson.ts'
import { colourFromRgba, guessPicture, pictureOf, rgbaOf } from '../../src/ui/pictures.ts'
import { emptyDraft } from '../../src/ui/views/wizardDraft.ts'
import { parseObject, print } from '../../src/ui/views/wizardJson.ts'
import { addLayer, layersOf, moveLayer, readsFrom, removeLayer, setField, setKind, setReads } from '../../src/ui/views/wizardLayers.ts'
import { defaultKind, fitToData, PRESETS, propose, usePreset, type Records } from '../../src/ui/views/wizardPresets.ts'

const START = parseObject(emptyDraft().json)!
const errorsOf = (root: object, data: Records): unknown => {
  const job = parseJobJson(print(root as Record<string, unknown>))
  return job.ok ? templateErrors(job.value, { source: 1, root: new Uint8Array(32), testRecords: 1, trainRecords: data.trainRecords, features: data.features, classes: data.classes }) : job.errors
}

const sizes = { classes: fc.integer({ min: 2, max: 256 }), trainRecords: fc.integer({ min: MIN_BATCH, max: 10_000 }) }
const tables = fc.record({ ...sizes, features: fc.integer({ min: 1, max: 4096 }) })
const pictures = fc.record({ ...sizes, channels: fc.constantFrom(1, 1, 3), height: fc.integer({ min: 16, max: 64 }), width: fc.integer({ min: 16, max: 64 }) })
  .filter(p => p.channels * p.height * p.width <= 4096).map(p => ({ ...p, features: p.channels * p.height * p.width }))

describe('presets', () => {
  test('what is proposed is taken by the network, whatever the data', () => {
    fc.assert(fc.property(fc.oneof(tables, pictures), data => { expect(errorsOf(propose(START, data), data)).toEqual([]) }), { numRuns: 300 })
  })

  test('so is every preset of either kind', () => {
    fc.assert(fc.property(pictures, fc.constantFrom('cnn' as const, 'mlp' as const), fc.constantFrom(...PRESETS), (data, kind, preset) => {
      expect(errorsOf(usePreset(propose(START, data), kind, preset, data), data)).toEqual([])
    }), { numRuns: 300 })
    fc.assert(fc.property(tables, fc.constantFrom(...PRESETS), (data, preset) => {
      expect(errorsOf(usePreset(propose(START, data), 'mlp', preset, data), data)).toEqual([])
    }))
  })

  test('a model chosen for pictures is fitted to other pictures, and gives way to a table', () => {
    const digits: Records = { features: 784, classes: 10, trainRecords: 60_000, channels: 1, height: 28, width: 28 }
    const colours: Records = { features: 3072, classes: 4, trainRecords: 9_000, channels: 3, height: 32, width: 32 }
    const table: Records = { features: 5, classes: 3, trainRecords: 120 }
    const chosen = usePreset(START, 'cnn', 'medium', digits)
    expect(errorsOf(fitToData(chosen, colours), colours)).toEqual([])
    expect(fitToData(chosen, colours)).toMatchObject({ model_type: 'cnn', architecture: { input_shape: [3, 32, 32], output_size: 4 } })
    expect(fitToData(chosen, table)).toMatchObject({ model_type: 'mlp', architecture: { input_size: 5, output_size: 3 } })
    expect(errorsOf(fitToData(chosen, table), table)).toEqual([])
  })

  test.each<[string, Partial<Records>, string]>([
    ['digits', { channels: 1, height: 28, width: 28 }, 'cnn'], ['digits without a shape', { features: 784 }, 'cnn'], ['the smallest', { channels: 3, height: 16, width: 16 }, 'cnn'],
    ['the largest', { channels: 1, height: 64, width: 64 }, 'cnn'], ['too small', { channels: 1, height: 15, width: 40 }, 'mlp'], ['too wide', { channels: 1, height: 32, width: 65 }, 'mlp'],
    ['a table', { features: 12 }, 'mlp'], ['a table that could be a tiny square', { features: 4, channels: 1, height: 2, width: 2 }, 'mlp']
  ])('%s', (_, data, kind) => {
    const features = data.features ?? data.channels! * data.height! * data.width!
    expect(defaultKind({ classes: 10, trainRecords: 1000, ...data, features })).toBe(kind)
  })
})

describe('layers as data', () => {
  const start = { input_shape: [1, 12, 12], layers: [{ type: 'conv2d', filters: 4, kernel_size: 3, name: 'a' }, { type: 'norm', input: 'a' }, { type: 'dense', units: 8 }], output_size: 2 }

  test('edits give another architecture and leave the rest', () => {
    const before = JSON.stringify(start)
    expect(layersOf(setField(start, 0, 'stride', ' 2 '))[0]).toEqual({ type: 'conv2d', filters: 4, kernel_size: 3, name: 'a', stride: 2 })
    expect(layersOf(setField(start, 0, 'filters', ''))[0]).toEqual({ type: 'conv2d', kernel_size: 3, name: 'a' })
    expect(layersOf(setField(start, 0, 'filters', 'many'))[0]).toMatchObject({ filters: 'many' })
    expect(layersOf(setKind(start, 0, 'dense'))[0]).toEqual({ type: 'dense', units: 4, activation: 'relu', name: 'a' })
    expect(layersOf(moveLayer(start, 2, 0)).map(l => l['type'])).toEqual(['dense', 'conv2d', 'norm'])
    expect(moveLayer(start, 2, 3)).toBe(start)
    expect(addLayer(start, 'max_pool2d')).toMatchObject({ at: 2 })
    expect(addLayer(start, 'dense')).toMatchObject({ at: 3 })
    expect(JSON.stringify(start)).toBe(before)
  })

  test('who read a layer that goes reads the one before', () => {
    expect(layersOf(removeLayer(start, 0))[0]).toEqual({ type: 'norm' })
    expect(removeLayer(start, 1)).toMatchObject({ output_size: 2, input_shape: [1, 12, 12] })
  })

  test('names are found, given, and never given twice', () => {
    expect([readsFrom(start, 1, 'input'), readsFrom(start, 2, 'input'), readsFrom(start, 0, 'input')]).toEqual([0, undefined, undefined])
    const named = setReads({ ...start, layers: [...start.layers, { type: 'add', with: 'x' }, { type: 'norm', name: 'layer-2' }] }, 3, 'with', 1)
    expect(layersOf(named)[1]).toMatchObject({ name: 'layer-3' })
    expect(readsFrom(named, 3, 'with')).toBe(1)
    expect(readsFrom(setReads(named, 3, 'with', -1), 3, 'with')).toBe(-1)
    expect(layersOf(setReads(named, 3, 'with', undefined))[3]).toEqual({ type: 'add' })
  })

  test('what is no list of layers is an empty one', () => {
    for (const layers of [undefined, {}, 'conv', 5]) expect(layersOf({ layers })).toEqual([])
    expect(layersOf({ layers: [null, 3, 'conv', []] })).toEqual([{}, {}, {}, {}])
  })
})

describe('outline', () => {
  const conv = { type: 'conv2d', filters: 4, kernel_size: 3 }
  const of = (layers: unknown, more: object = {}): string[] => outlineModel({ input_shape: [2, 8, 8], layers, output_size: 3, ...more }).tensors.map(t => `${t.channels}x${t.height}x${t.width}`)

  test('goes as far as the layers make sense', () => {
    expect(of([conv, { type: 'max_pool2d', pool_size: 2 }])).toEqual(['2x8x8', '4x6x6', '4x3x3', '3x1x1'])
    expect(of([conv, { ...conv, kernel_size: 7 }, conv])).toEqual(['2x8x8', '4x6x6'])
    expect(of([conv, { type: 'nothing' }, conv])).toEqual(['2x8x8', '4x6x6'])
    expect(of([conv, { type: 'add', with: 'input' }])).toEqual(['2x8x8', '4x6x6'])
    expect(of([])).toEqual(['2x8x8', '3x1x1'])
    expect(of('none')).toEqual(['2x8x8', '3x1x1'])
    expect(of([conv], { input_shape: [2, 8] })).toEqual([])
  })

  test('counts weights and biases of each', () => {
    const attention = { type: 'attention', dim: 5 }
    expect(of([conv, attention, { type: 'norm' }])).toEqual(['2x8x8', '4x6x6', '5x6x6', '5x6x6', '3x1x1'])
    expect(of([conv, attention, { ...conv, kernel_size: 9 }])).toEqual(['2x8x8', '4x6x6', '5x6x6'])
    expect(outlineModel({ input_shape: [2, 8, 8], layers: [conv, attention], output_size: 3 }).parameters).toEqual([4 * (2 * 9 + 1), 3 * 5 * (4 + 1), 3 * (5 * 36 + 1)])
    expect(outlineModel({ input_shape: [2, 8, 8], layers: [conv, { type: 'norm' }], output_size: 3 }).parameters).toEqual([4 * (2 * 9 + 1), 0, 3 * (4 * 36 + 1)])
  })

  test('takes anything', () => {
    fc.assert(fc.property(fc.dictionary(fc.constantFrom('input_shape', 'layers', 'output_size', 'x'), fc.jsonValue()), root => { outlineModel(root) }))
  })
})

describe('pictures', () => {
  test('are told by their shape', () => {
    expect(pictureOf(784, { channels: 1, height: 28, width: 28 })).toEqual({ channels: 1, height: 28, width: 28 })
    expect(pictureOf(64, { height: 8, width: 8 })).toEqual({ channels: 1, height: 8, width: 8 })
    expect(pictureOf(784, { channels: 1, height: 28, width: 27 })).toBeUndefined()
    expect(pictureOf(49, { height: 7, width: 7 })).toBeUndefined()
    expect(pictureOf(784, { channels: 784, height: 1, width: 1 })).toBeUndefined()
    expect([guessPicture(784), guessPicture(3072), guessPicture(4)]).toEqual([{ channels: 1, height: 28, width: 28 }, undefined, undefined])
  })

  test('are drawn in grey, in colour, or by their mean', () => {
    const shape = { height: 1, width: 2 }
    expect([...rgbaOf(Uint8Array.of(7, 9), { channels: 1, ...shape })]).toEqual([7, 7, 7, 255, 9, 9, 9, 255])
    expect([...rgbaOf(Uint8Array.of(1, 2, 3, 4, 5, 6), { channels: 3, ...shape })]).toEqual([1, 3, 5, 255, 2, 4, 6, 255])
    expect([...rgbaOf(Uint8Array.of(10, 20, 30, 40), { channels: 2, ...shape })]).toEqual([20, 20, 20, 255, 30, 30, 30, 255])
    expect([...rgbaOf(new Uint8Array(0), { channels: 1, ...shape })]).toEqual([0, 0, 0, 255, 0, 0, 0, 255])
  })

  test('become records of three planes, cropped to the middle, on white', () => {
    const shape = { channels: 3, height: 8, width: 8 }
    // 24 x 8: red, green and blue squares side by side; the middle one is what is seen.
    const rgba = new Uint8ClampedArray(24 * 8 * 4)
    for (let i = 0; i < 24 * 8; i++) rgba.set([0, 0, 0, 255].with(Math.floor(i % 24 / 8), 200), i * 4)
    const record = colourFromRgba(24, 8, rgba, shape)
    expect([record.length, ...[0, 64, 128].map(at => record[at + 20])]).toEqual([192, 0, 200, 0])
    expect([...new Set(colourFromRgba(16, 16, new Uint8ClampedArray(16 * 16 * 4), shape))]).toEqual([255])
  })
})
