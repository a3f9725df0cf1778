/** Job files of models with layers ("cnn"), and models in words. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type DataRef, decodeJobSpec, encodeJobSpec, OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX } from '../../../src/core/codec/jobSpec.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { describeModel } from '../../../src/core/training/architectureJson.ts'
import type { FieldError } from '../../../src/core/training/fieldError.ts'
import { type JobTemplate, parseJobJson, templateErrors, toSpec } from '../../../src/core/training/jobJson.ts'
import { mlp, opOf, shapeOf } from '../../../src/core/training/shape.ts'

const DATA: DataRef = { source: 1, root: hash('pictures'), trainRecords: 6_000, testRecords: 1_000, features: 3 * 16 * 16, classes: 4 }

const EXAMPLE = `{
  "model_type": "cnn",
  "architecture": {
    "input_shape": [3, 16, 16],
    "layers": [
      { "type": "conv2d", "filters": 8, "kernel_size": 5, "padding": 2, "activation": "relu" },
      { "type": "max_pool2d", "pool_size": 2, "name": "trunk" },
      { "type": "conv2d", "filters": 8, "kernel_size": 3, "padding": 1, "groups": 4, "activation": "relu" },
      { "type": "conv2d", "filters": 8, "kernel_size": 3, "padding": 1, "name": "branch" },
      { "type": "add", "input": "branch", "with": "trunk", "activation": "relu" },
      { "type": "norm" },
      { "type": "average_pool2d", "pool_size": 2, "stride": 1 },
      { "type": "dense", "units": 32, "activation": "relu" }
    ],
    "output_size": 4
  },
  "optimizer": { "type": "adam", "learning_rate": 0.002 },
  "stopping_criterion": { "max_epochs": 8 },
  "dataset_info": { "batch_size": 32 }
}`

type Json = Record<string, any>
const edited = (edit: (architecture: Json, job: Json) => void): string => {
  const j = JSON.parse(EXAMPLE) as Json
  edit(j.architecture, j)
  return JSON.stringify(j, undefined, 2)
}

function template (text: string): JobTemplate {
  const job = parseJobJson(text)
  if (!job.ok) throw new Error(JSON.stringify(job.errors))
  return job.value
}

const example = (name: string): JobTemplate => template(readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8'))

/** Line of the layer, or of a key in it. */
function lineOf (text: string, layer: number, key?: string): number {
  let at = text.indexOf('"layers":')
  for (let i = 0; i <= layer; i++) at = text.indexOf('{', at + 1)
  const found = key === undefined ? -1 : text.slice(at, text.indexOf('}', at)).indexOf(`"${key}":`)
  return text.slice(0, found === -1 ? at : at + found).split('\n').length
}

describe('layers of a job file', () => {
  it('become operations, a residual by its names', () => {
    const job = template(EXAMPLE)
    expect(templateErrors(job, DATA)).toEqual([])
    const spec = toSpec(job, DATA)
    expect(spec).toMatchObject({ channels: 3, height: 16, width: 16 })
    expect(spec.ops).toEqual([
      opOf({ kind: OP_CONV, units: 8, kernel: 5, stride: 1, padding: 2, groups: 1, relu: 1 }),
      opOf({ kind: OP_MAX_POOL, a: 1, kernel: 2, stride: 2 }),
      opOf({ kind: OP_CONV, a: 2, units: 8, kernel: 3, stride: 1, padding: 1, groups: 4, relu: 1 }),
      opOf({ kind: OP_CONV, a: 3, units: 8, kernel: 3, stride: 1, padding: 1, groups: 1 }),
      opOf({ kind: OP_ADD, a: 4, b: 2, relu: 1 }),
      opOf({ kind: OP_NORM, a: 5 }),
      opOf({ kind: OP_AVERAGE_POOL, a: 6, kernel: 2, stride: 1 }),
      opOf({ kind: OP_DENSE, a: 7, units: 32, relu: 1 }),
      opOf({ kind: OP_DENSE, a: 8, units: 4 })
    ])
    expect(decodeJobSpec(encodeJobSpec(spec))).toEqual({ ok: true, value: spec })
    expect(job.name).toBe('cnn of 9 layers')
  })

  it('of attention become six operations, which names and complaints count as one layer', () => {
    const text = edited(a => {
      a.layers = [
        { type: 'conv2d', filters: 8, kernel_size: 4, stride: 4, name: 'tokens' }, { type: 'attention', dim: 20, heads: 1, activation: 'relu', name: 'mixed' },
        { type: 'conv2d', filters: 8, kernel_size: 1 }, { type: 'add', with: 'tokens' }, { type: 'norm', input: 'mixed' }, { type: 'max_pool2d', pool_size: 5 }
      ]
    })
    const { model } = template(text)
    const pointwise = { kind: OP_CONV, a: 1, units: 20, kernel: 1, stride: 1, groups: 1 }
    expect(model.ops.slice(1, 9)).toEqual([
      opOf(pointwise), opOf(pointwise), opOf(pointwise),
      opOf({ kind: OP_SCORES, a: 2, b: 3 }), opOf({ kind: OP_SOFTMAX, a: 5, stride: 2 }), opOf({ kind: OP_APPLY, a: 6, b: 4, relu: 1 }),
      opOf({ kind: OP_CONV, a: 7, units: 8, kernel: 1, stride: 1, groups: 1 }), opOf({ kind: OP_ADD, a: 8, b: 1 })
    ])
    expect(model.ops[9]).toEqual(opOf({ kind: OP_NORM, a: 7 }))
    expect(templateErrors(template(text), DATA)).toEqual([{ field: 'architecture.layers[5]', message: '5 does not fit 4 x 4 with padding 0' }])
    expect(describeModel(model)).toBe('3×16×16 – conv 8 4×4/4 – attention 20 – conv 8 1×1 – add – norm – max 5 – 4')
  })

  it('of attention divide scores by the root of their terms, as a power of two', () => {
    const scale = (dim: number): number => template(edited(a => { a.layers = [{ type: 'attention', dim }] })).model.ops[4].stride
    expect([1, 3, 4, 15, 16, 32, 63, 64, 4096].map(scale)).toEqual([0, 0, 1, 1, 2, 2, 2, 3, 6])
  })

  it('of attention are at most as many as operations may be', () => {
    const many = (count: number): FieldError[] => templateErrors(template(edited(a => { a.layers = [{ type: 'conv2d', filters: 2, kernel_size: 4, stride: 4 }, ...Array.from({ length: count }, () => ({ type: 'attention', dim: 2 }))] })), { ...DATA, features: 768 })
    expect(many(5)).toEqual([])
    expect(many(6)).toEqual([{ field: 'architecture.layers', message: 'must be 1 to 32 operations, has 38' }])
  })

  it('may read the records themselves by the name "input"', () => {
    const job = template(edited(a => { a.layers = [{ type: 'conv2d', filters: 3, kernel_size: 3, padding: 1 }, { type: 'add', with: 'input' }] }))
    expect(toSpec(job, DATA).ops[1]).toMatchObject({ kind: OP_ADD, a: 1, b: 0 })
    expect(templateErrors(job, DATA)).toEqual([])
  })

  it('may be none: a linear model of pictures', () => {
    expect(templateErrors(template(edited(a => { a.layers = [] })), DATA)).toEqual([])
  })

  it('fit the pictures that the examples are for', () => {
    expect(templateErrors(example('mnist-cnn.json'), { ...DATA, trainRecords: 60_000, testRecords: 10_000, features: 784, classes: 10 })).toEqual([])
    expect(templateErrors(example('mnist-attention.json'), { ...DATA, trainRecords: 60_000, testRecords: 10_000, features: 784, classes: 10 })).toEqual([])
    expect(templateErrors(example('colour-cnn.json'), { ...DATA, trainRecords: 18_000, testRecords: 3_000, features: 3072, classes: 10 })).toEqual([])
  })

  it('of the MNIST example are those that were measured', () => {
    const { model, batch, lr20, maxEpochs } = example('mnist-cnn.json')
    expect(describeModel(model)).toBe('1×28×28 – conv 8 5×5 – max 2 – conv 16 5×5 – max 2 – 64 – 10')
    expect([shapeOf(model).parameters, batch, lr20, maxEpochs]).toEqual([20_522, 64, 2097, 8])
    expect(model.ops.map(op => op.relu)).toEqual([1, 0, 1, 0, 1, 0])
  })

  const KNOWN = { conv2d: 'type, input, filters, kernel_size, stride, padding, groups, activation, name', pool: 'type, input, pool_size, stride, name' }
  it.each<[what: string, edit: (a: Json) => void, layer: number, key: string | undefined, message: string]>([
    ['an unknown layer', a => { a.layers[0].type = 'lstm' }, 0, 'type', '"lstm" is not supported; expected "dense" or "conv2d" or "max_pool2d" or "average_pool2d" or "add" or "norm" or "attention"'],
    ['attention without a dimension', a => { a.layers[5] = { type: 'attention' } }, 5, 'dim', 'is missing'],
    ['attention of several heads', a => { a.layers[5] = { type: 'attention', dim: 8, heads: 2 } }, 5, 'heads', 'must be a whole number from 1 to 1, is 2'],
    ['a kernel of attention', a => { a.layers[5] = { type: 'attention', dim: 8, kernel_size: 1 } }, 5, 'kernel_size', 'unknown key; expected one of type, input, dim, heads, activation, name'],
    ['a layer without a type', a => { delete a.layers[5].type }, 5, 'type', 'is missing'],
    ['an unknown key', a => { a.layers[2].dilation = 2 }, 2, 'dilation', `unknown key; expected one of ${KNOWN.conv2d}`],
    ['a key of another layer', a => { a.layers[1].padding = 1 }, 1, 'padding', `unknown key; expected one of ${KNOWN.pool}`],
    ['a pool with an activation', a => { a.layers[6].activation = 'relu' }, 6, 'activation', `unknown key; expected one of ${KNOWN.pool}`],
    ['missing filters', a => { delete a.layers[0].filters }, 0, 'filters', 'is missing'],
    ['a missing kernel', a => { delete a.layers[2].kernel_size }, 2, 'kernel_size', 'is missing'],
    ['a missing pool size', a => { delete a.layers[1].pool_size }, 1, 'pool_size', 'is missing'],
    ['missing units', a => { delete a.layers[7].units }, 7, 'units', 'is missing'],
    ['an addition of one', a => { delete a.layers[4].with }, 4, 'with', 'is missing'],
    ['filters as text', a => { a.layers[0].filters = '8' }, 0, 'filters', 'expected a number, found "8"'],
    ['no filters', a => { a.layers[0].filters = 0 }, 0, 'filters', 'must be a whole number from 1 to 4096, is 0'],
    ['a kernel of two numbers', a => { a.layers[0].kernel_size = [5, 5] }, 0, 'kernel_size', 'expected a number, found a list'],
    ['a huge kernel', a => { a.layers[0].kernel_size = 65 }, 0, 'kernel_size', 'must be a whole number from 1 to 64, is 65'],
    ['a stride of 0', a => { a.layers[6].stride = 0 }, 6, 'stride', 'must be a whole number from 1 to 64, is 0'],
    ['wide padding', a => { a.layers[0].padding = 17 }, 0, 'padding', 'must be a whole number from 0 to 16, is 17'],
    ['half a group', a => { a.layers[2].groups = 0.5 }, 2, 'groups', 'must be a whole number from 1 to 4096, is 0.5'],
    ['another activation', a => { a.layers[0].activation = 'tanh' }, 0, 'activation', '"tanh" is not supported; expected "relu" or "linear"'],
    ['a name that is taken', a => { a.layers[2].name = 'trunk' }, 2, 'name', '"trunk" is taken'],
    ['the name of the records', a => { a.layers[2].name = 'input' }, 2, 'name', '"input" is taken'],
    ['an unknown input', a => { a.layers[2].input = 'stem' }, 2, 'input', 'no layer before this one is named "stem"; named so far: input, trunk'],
    ['an unknown second input', a => { a.layers[4].with = 'stem' }, 4, 'with', 'no layer before this one is named "stem"; named so far: input, trunk, branch'],
    ['a layer that reads itself', a => { a.layers[2].name = 'self'; a.layers[2].input = 'self' }, 2, 'input', 'no layer before this one is named "self"; named so far: input, trunk']
  ])('refuses %s', (_, edit, layer, key, message) => {
    const text = edited(edit)
    const job = parseJobJson(text)
    const field = `architecture.layers[${layer}]${key === undefined ? '' : `.${key}`}`
    expect(job).toEqual({ ok: false, errors: [{ field, message, line: lineOf(text, layer, key) }] })
  })

  it.each<[what: string, edit: (a: Json) => void, error: FieldError]>([
    ['no layers at all', a => { delete a.layers }, { field: 'architecture.layers', message: 'is missing', line: 3 }],
    ['layers that are no list', a => { a.layers = {} }, { field: 'architecture.layers', message: 'expected a list, found an object', line: 9 }],
    ['a layer that is no object', a => { a.layers = ['conv2d'] }, { field: 'architecture.layers', message: 'item 1: expected an object, found "conv2d"', line: 9 }],
    ['too many layers', a => { a.layers = Array.from({ length: 32 }, () => ({ type: 'norm' })) }, { field: 'architecture.layers', message: 'at most 31, has 32', line: 9 }],
    ['a flat input', a => { a.input_shape = [768] }, { field: 'architecture.input_shape', message: 'must be [channels, height, width], has 1 numbers', line: 4 }],
    ['an empty side', a => { a.input_shape = [3, 0, 16] }, { field: 'architecture.input_shape', message: 'must be a whole number from 1 to 4096, is 0', line: 4 }],
    ['a missing input', a => { delete a.input_shape }, { field: 'architecture.input_shape', message: 'is missing', line: 3 }],
    ['one class', a => { a.layers = []; a.output_size = 1 }, { field: 'architecture.output_size', message: 'must be a whole number from 2 to 256, is 1', line: 10 }],
    ['the keys of a perceptron', a => { a.hidden_sizes = [64]; a.layers = [] }, { field: 'architecture.hidden_sizes', message: 'unknown key; expected one of input_shape, layers, output_size', line: 11 }]
  ])('refuses %s', (_, edit, error) => {
    expect(parseJobJson(edited(edit))).toEqual({ ok: false, errors: [error] })
  })

  it('collects the complaints of every layer at once', () => {
    const job = parseJobJson(edited(a => { delete a.layers[0].filters; a.layers[4].with = 'stem'; a.layers[7].units = -1 }))
    expect(!job.ok && job.errors.map(e => e.field)).toEqual(['architecture.layers[0].filters', 'architecture.layers[4].with', 'architecture.layers[7].units'])
  })
})

describe('layers against one another and against the data', () => {
  it.each<[what: string, edit: (a: Json, j: Json) => void, errors: FieldError[], data?: Partial<DataRef>]>([
    ['a window larger than what is left', a => { a.layers[6].pool_size = 9 }, [{ field: 'architecture.layers[6]', message: '9 does not fit 8 x 8 with padding 0' }]],
    ['a sum of different shapes', a => { a.layers[3].padding = 0 }, [{ field: 'architecture.layers[4]', message: 'adds [8, 8, 8] to [8, 6, 6]' }]],
    ['a sum of one layer with itself', a => { a.layers[4].with = 'branch' }, [{ field: 'architecture.layers[4]', message: 'adds a tensor to itself' }]],
    ['groups that do not divide', a => { a.layers[2].groups = 3 }, [{ field: 'architecture.layers[2]', message: 'must divide 8 inputs and 8 outputs, is 3' }]],
    ['padding as large as the window', a => { a.layers[0].padding = 5 }, [{ field: 'architecture.layers[0]', message: 'must be below the kernel and at most 16, is 5' }]],
    ['a layer that nothing reads', a => { a.layers[7].input = 'trunk' }, [{ field: 'architecture.layers[6]', message: 'nothing reads tensor 7' }]],
    ['a last layer with too many inputs', a => { a.layers = [{ type: 'conv2d', filters: 64, kernel_size: 3 }] }, [{ field: 'architecture.output_size', message: 'a dense layer takes at most 4096 inputs, tensor 1 has 12544' }]],
    ['too many parameters', a => { a.layers = [{ type: 'dense', units: 1500 }] }, [{ field: 'architecture.layers', message: '1,159,504 parameters, at most 1,000,000' }]],
    ['another shape than the records', () => {}, [{ field: 'architecture.input_shape', message: 'the input has 768 values, a record has 784 features' }], { features: 784 }],
    ['more classes', () => {}, [{ field: 'architecture.output_size', message: 'the last operation has 4 outputs, the data has 5 classes' }], { classes: 5 }],
    ['too dear a slice', (_, j) => { j.dataset_info.batch_size = 256; j.training = { steps_per_slice: 512 } }, [{ field: 'training.steps_per_slice', message: 'a slice of 512 steps costs 201,769,811,968 multiply-adds, and the network takes no more than 8,000,000,000: use 20 steps per slice or fewer, or a smaller batch or a smaller model' }]]
  ])('refuses %s', (_, edit, errors, data) => {
    expect(templateErrors(template(edited(edit)), { ...DATA, ...data })).toEqual(errors)
  })
})

describe('a model in words', () => {
  it.each<[string, string]>([
    [describeModel(mlp([784, 128, 64, 10])), '784 – 128 – 64 – 10'],
    [describeModel(mlp([4, 3])), '4 – 3'],
    [describeModel(template(EXAMPLE).model), '3×16×16 – conv 8 5×5 – max 2 – grouped 8 3×3 – conv 8 3×3 – add – norm – mean 2 – 32 – 4'],
    [describeModel({ channels: 8, height: 6, width: 4, ops: [opOf({ kind: OP_CONV, units: 8, kernel: 3, stride: 2, groups: 8 }), opOf({ kind: OP_DENSE, a: 1, units: 2 })] }), '8×6×4 – depthwise 8 3×3/2 – 2'],
    [describeModel({ channels: 3, height: 8, width: 8, ops: [opOf({ kind: OP_DENSE, units: 16 }), opOf({ kind: OP_DENSE, a: 1, units: 2 })] }), '192 – 16 – 2']
  ])('%s', (words, expected) => { expect(words).toBe(expected) })
})
