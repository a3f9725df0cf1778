import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { POUW_EXAMPLE } from '../../../scripts/make-training-vectors.ts'
import { decodeJobSpec, encodeJobSpec, type DataRef } from '../../../src/core/codec/jobSpec.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { specHash } from '../../../src/core/crypto/ids.ts'
import { datasetFromCsv } from '../../../src/core/training/csv.ts'
import { BUILTIN_REF } from '../../../src/core/training/dataset.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import { type JobTemplate, parseJobJson, templateErrors, toSpec } from '../../../src/core/training/jobJson.ts'
import { specErrors } from '../../../src/core/training/specRules.ts'
import { MAX_SLICE_COST, MIN_SLICE_COST } from '../../../src/core/params.ts'
import { mlp } from '../../../src/core/training/shape.ts'

const MNIST: DataRef = { source: 1, root: hash('mnist'), trainRecords: 60_000, testRecords: 10_000, features: 784, classes: 10 }

function template (text: string): JobTemplate {
  const job = parseJobJson(text)
  if (!job.ok) throw new Error(JSON.stringify(job.errors))
  return job.value
}

type Json = Record<string, any>
const edited = (edit: (j: Json) => void): string => {
  const j = JSON.parse(POUW_EXAMPLE) as Json
  edit(j)
  return JSON.stringify(j, undefined, 2)
}

describe('job files', () => {
  it('takes the example of PoUW as it stands', () => {
    const job = template(POUW_EXAMPLE)
    expect(templateErrors(job, MNIST)).toEqual([])
    const spec = toSpec(job, MNIST)
    expect(specErrors(spec)).toEqual([])
    expect(spec).toMatchObject({ ...mlp([784, 128, 64, 10]), lr20: 1049, batch: 32, stepsPerSlice: 128, inputNoise: 16, schedule: 1, rounds: 733 })
    expect(decodeJobSpec(encodeJobSpec(spec))).toEqual({ ok: true, value: spec })
    expect(job.minAccuracyPpm).toBe(950_000)
  })

  it.each(['mnist-mlp.json', 'mnist-cnn.json', 'colour-cnn.json', 'digits-mlp.json', 'csv-mlp.json'])('takes examples/%s', name => {
    template(readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8'))
  })

  it('finds the example of a table valid for its data', () => {
    const job = template(readFileSync(new URL('../../../examples/csv-mlp.json', import.meta.url), 'utf8'))
    const data = datasetFromCsv({ train: readFileSync(new URL('../../../examples/flowers.csv', import.meta.url)), labelColumn: 'species' })
    expect(data.ok && templateErrors(job, data.value.ref)).toEqual([])
  })

  it('finds the built-in example valid for the built-in data', () => {
    const job = template(readFileSync(new URL('../../../examples/digits-mlp.json', import.meta.url), 'utf8'))
    expect(job.data).toEqual({ source: 'builtin' })
    expect(templateErrors(job, BUILTIN_REF)).toEqual([])
  })

  it('reads where the data lies', () => {
    const job = template(readFileSync(new URL('../../../examples/mnist-mlp.json', import.meta.url), 'utf8'))
    expect(job.data).toEqual({
      source: 'files',
      format: 'idx',
      trainFeatures: 'train-images-idx3-ubyte.gz',
      trainLabels: 'train-labels-idx1-ubyte.gz',
      testFeatures: 't10k-images-idx3-ubyte.gz',
      testLabels: 't10k-labels-idx1-ubyte.gz',
      labelColumn: undefined
    })
  })

  it('hashes what a file says, not how it says it', () => {
    const hashOf = (text: string): string => toHex(specHash(toSpec(template(text), MNIST)))
    const reversed = (v: unknown): unknown => Array.isArray(v) || typeof v !== 'object' || v === null
      ? v
      : Object.fromEntries(Object.entries(v).reverse().map(([k, x]) => [k, reversed(x)]))
    const same = [
      JSON.stringify(JSON.parse(POUW_EXAMPLE)),
      JSON.stringify(reversed(JSON.parse(POUW_EXAMPLE)), undefined, '\t'),
      POUW_EXAMPLE.replace('0.001', '1e-3'),
      POUW_EXAMPLE.replace('0.001', '0.00100'),
      POUW_EXAMPLE.replace('60000', '6e4'),
      POUW_EXAMPLE.replaceAll('\n', '\r\n'),
      edited(j => { j.training = { seed: 0, steps_per_slice: 128, input_noise: 16, schedule: 'linear', rounds: 733 } })
    ]
    expect(new Set([POUW_EXAMPLE, ...same].map(hashOf)).size).toBe(1)
    const others = [
      edited(j => { j.name = 'other' }),
      edited(j => { j.training = { seed: 1 } }),
      edited(j => { j.training = { schedule: 'constant' } }),
      edited(j => { j.training = { input_noise: 8 } }),
      edited(j => { j.training = { rounds: 5 } }),
      edited(j => { j.optimizer.learning_rate = 0.002 }),
      edited(j => { j.dataset_info.batch_size = 64 })
    ]
    expect(new Set([POUW_EXAMPLE, ...others].map(hashOf)).size).toBe(8)
  })

  it('lowers the default slice to what it may cost', () => {
    const job = template(edited(j => { j.architecture.hidden_sizes = [1024]; j.dataset_info.batch_size = 256 }))
    const spec = toSpec(job, MNIST)
    expect(spec.stepsPerSlice).toBeLessThan(128)
    expect(sliceCost(spec)).toBeLessThanOrEqual(MAX_SLICE_COST)
    expect(sliceCost({ ...spec, stepsPerSlice: spec.stepsPerSlice + 1 })).toBeGreaterThan(MAX_SLICE_COST)
    expect(templateErrors(job, MNIST)).toEqual([])
  })

  it('raises the default slice where it would cost next to nothing', () => {
    const small = { ...MNIST, features: 8, classes: 2 }
    const spec = toSpec(template(edited(j => { j.architecture = { input_size: 8, hidden_sizes: [64, 32], output_size: 2 } })), small)
    expect(spec.stepsPerSlice).toBeGreaterThan(128)
    expect(sliceCost(spec)).toBeGreaterThanOrEqual(MIN_SLICE_COST)
    expect(sliceCost({ ...spec, stepsPerSlice: spec.stepsPerSlice - 1 })).toBeLessThan(MIN_SLICE_COST)
    expect(templateErrors(template(edited(j => { j.architecture = { input_size: 8, hidden_sizes: [64, 32], output_size: 2 }; delete j.dataset_info.size })), small)).toEqual([])
    // Never more than a slice may have, even where that is too little.
    expect(toSpec(template(edited(j => { j.architecture = { input_size: 8, hidden_sizes: [], output_size: 2 } })), small).stepsPerSlice).toBe(512)
  })

  it('takes 32 bytes of hex as the seed itself', () => {
    const hex = toHex(hash('seed'))
    expect(toHex(template(edited(j => { j.training = { seed: hex } })).seed)).toBe(hex)
  })

  it('says what it does not enforce', () => {
    const job = template(edited(j => { j.performance_requirements = { gpu: true, min_accuracy: 0.9 } }))
    expect(job.notes.map(n => n.field)).toEqual(['performance_requirements.gpu', 'performance_requirements.min_accuracy'])
    expect(template(edited(j => { delete j.performance_requirements })).notes).toEqual([])
  })

  /** Line of the last key of a dotted path. */
  const line = (text: string, path: string): number => {
    const at = path.split('.').reduce((from, key) => text.indexOf(`"${key}":`, from), 0)
    return text.slice(0, at).split('\n').length
  }
  it.each<[string, (j: Json) => void, string, string]>([
    ['an unknown key', j => { j.dropout = 0.5 }, 'dropout', 'unknown key; expected one of name, model_type, architecture, optimizer, stopping_criterion, metrics, dataset_info, performance_requirements, data, training'],
    ['an unknown nested key', j => { j.optimizer.momentum = 0.9 }, 'optimizer.momentum', 'unknown key; expected one of type, learning_rate'],
    ['another model', j => { j.model_type = 'rnn' }, 'model_type', '"rnn" is not supported; expected "mlp" or "cnn"'],
    ['another optimiser', j => { j.optimizer.type = 'sgd' }, 'optimizer.type', '"sgd" is not supported; expected "adam"'],
    ['a metric nobody computes', j => { j.metrics = ['accuracy', 'f1'] }, 'metrics', '"f1" is not supported; expected "accuracy" or "loss"'],
    ['a learning rate of 0', j => { j.optimizer.learning_rate = 0 }, 'optimizer.learning_rate', 'must be above 0.0000004 and below 0.0625'],
    ['a learning rate of 1', j => { j.optimizer.learning_rate = 1 }, 'optimizer.learning_rate', 'must be above 0.0000004 and below 0.0625'],
    ['a learning rate as text', j => { j.optimizer.learning_rate = '0.001' }, 'optimizer.learning_rate', 'expected a number, found "0.001"'],
    ['a small batch', j => { j.dataset_info.batch_size = 8 }, 'dataset_info.batch_size', 'must be a whole number from 16 to 256, is 8'],
    ['half a batch', j => { j.dataset_info.batch_size = 32.5 }, 'dataset_info.batch_size', 'must be a whole number from 16 to 256, is 32.5'],
    ['no epochs', j => { j.stopping_criterion.max_epochs = 0 }, 'stopping_criterion.max_epochs', 'must be a whole number from 1 to 100000, is 0'],
    ['another stopping rule', j => { j.stopping_criterion.type = 'early' }, 'stopping_criterion.type', '"early" is not supported; expected "max_epochs"'],
    ['a missing part', j => { delete j.architecture }, 'architecture', 'is missing'],
    ['hidden sizes that are no list', j => { j.architecture.hidden_sizes = 128 }, 'architecture.hidden_sizes', 'expected a list, found a number'],
    ['a width of text', j => { j.architecture.hidden_sizes = [128, '64'] }, 'architecture.hidden_sizes', 'item 2: expected a number, found "64"'],
    ['too wide a layer', j => { j.architecture.hidden_sizes = [5000] }, 'architecture.hidden_sizes', 'must be a whole number from 1 to 4096, is 5000'],
    ['too many layers', j => { j.architecture.hidden_sizes = Array(32).fill(16) }, 'architecture.hidden_sizes', 'at most 31 hidden layers, has 32'],
    ['one class', j => { j.architecture.output_size = 1 }, 'architecture.output_size', 'must be a whole number from 2 to 256, is 1'],
    ['a wrong accuracy', j => { j.performance_requirements.min_accuracy = 95 }, 'performance_requirements.min_accuracy', 'must be from 0 to 1'],
    ['gpu as text', j => { j.performance_requirements.gpu = 'yes' }, 'performance_requirements.gpu', 'expected true or false, found "yes"'],
    ['another source', j => { j.data = { source: 'url' } }, 'data.source', '"url" is not supported; expected "builtin" or "files"'],
    ['paths of the built-in set', j => { j.data = { source: 'builtin', train_features: 'x' } }, 'data.train_features', 'unknown key; expected one of source'],
    ['IDX without labels', j => { j.data = { source: 'files', format: 'idx', train_features: 'x' } }, 'data.train_labels', 'is missing'],
    ['test labels alone', j => { j.data = { source: 'files', format: 'idx', train_features: 'x', train_labels: 'y', test_labels: 'z' } }, 'data.test_labels', 'needs test_features beside it'],
    ['IDX with a label column', j => { j.data = { source: 'files', format: 'idx', train_features: 'x', train_labels: 'y', label_column: 'z' } }, 'data.label_column', 'unknown key; expected one of source, format, train_features, test_features, train_labels, test_labels'],
    ['too long a slice', j => { j.training = { steps_per_slice: 513 } }, 'training.steps_per_slice', 'must be a whole number from 1 to 512, is 513'],
    ['odd noise', j => { j.training = { input_noise: 12 } }, 'training.input_noise', 'must be one of 4, 8, 16, 32, is 12'],
    ['another schedule', j => { j.training = { schedule: 'cosine' } }, 'training.schedule', '"cosine" is not supported; expected "linear" or "constant"'],
    ['a negative seed', j => { j.training = { seed: -1 } }, 'training.seed', 'expected a whole number from 0 to 2^53 - 1, or 64 lower-case hex digits'],
    ['a seed of words', j => { j.training = { seed: 'lucky' } }, 'training.seed', 'expected a whole number from 0 to 2^53 - 1, or 64 lower-case hex digits'],
    ['a null', j => { j.name = null }, 'name', 'expected a string, found null'],
    ['no name', j => { j.name = '' }, 'name', 'is empty: give the job a name that people can know it by'],
    ['a name of blanks', j => { j.name = '  ' }, 'name', 'is empty: give the job a name that people can know it by'],
    ['a long name', j => { j.name = 'ä'.repeat(33) }, 'name', 'is too long: at most 64 plain letters (a letter with an accent counts as two, an emoji as four)']
  ])('refuses %s', (_, edit, field, message) => {
    const text = edited(edit)
    const job = parseJobJson(text)
    expect(job.ok).toBe(false)
    if (job.ok) return
    expect(job.errors.map(({ field, message }) => ({ field, message }))).toEqual([{ field, message }])
    if (message !== 'is missing') expect(job.errors[0].line).toBe(line(text, field))
  })

  it('names the line of a syntax error', () => {
    const text = POUW_EXAMPLE.replace('"hidden_sizes": [128, 64],', '"hidden_sizes": [128, 64,],')
    expect(parseJobJson(text)).toEqual({ ok: false, errors: [{ field: 'json', message: 'line 5, column 30: expected a value, found "]"', line: 5 }] })
  })

  it('refuses a document that is no object', () => {
    expect(parseJobJson('[]')).toEqual({ ok: false, errors: [{ field: 'json', message: 'expected an object, found a list', line: 1 }] })
  })

  it('refuses a name that UTF-8 cannot write', () => {
    expect(parseJobJson(POUW_EXAMPLE.replace('{', String.raw`{ "name": "\ud800",`))).toMatchObject({ ok: false, errors: [{ field: 'name' }] })
  })

  it('collects every complaint at once', () => {
    const job = parseJobJson(edited(j => { j.model_type = 'rnn'; j.extra = 1; j.dataset_info.batch_size = 1 }))
    expect(!job.ok && job.errors.map(e => e.field)).toEqual(['model_type', 'dataset_info.batch_size', 'extra'])
  })
})

describe('job files against their data', () => {
  const base = template(POUW_EXAMPLE)
  it.each<[string, Partial<DataRef>, string, string]>([
    ['another size', { trainRecords: 50_000 }, 'dataset_info.size', 'says 60000 training records, the data has 50000; correct it or leave it out'],
    ['other features', { features: 785 }, 'architecture.input_size', 'the input has 784 values, a record has 785 features'],
    ['more classes', { classes: 12 }, 'architecture.output_size', 'the last operation has 10 outputs, the data has 12 classes'],
    ['nothing held out', { testRecords: 0 }, 'data.testRecords', 'at least one record must be held out']
  ])('refuses %s', (_, change, field, message) => {
    expect(templateErrors(base, { ...MNIST, ...change })).toEqual([{ field, message }])
  })

  it.each([['nothing', '', /^is empty: write a job/], ['white space', ' \n\t', /^is empty: write a job/], ['a picture, as a browser reads it as text', '\ufffdPNG\r\n', /^is not text in UTF-8: choose a job file/]])('says of %s what it is, and no place in it', (_, text, message) => {
    expect(parseJobJson(text)).toEqual({ ok: false, errors: [{ field: 'json', message: expect.stringMatching(message) as string }] })
  })

  it('names the key that makes a slice too cheap', () => {
    const job = template(edited(j => { j.training = { steps_per_slice: 2 } }))
    expect(templateErrors(job, MNIST)).toEqual([{ field: 'training.steps_per_slice', message: expect.stringMatching(new RegExp(`^a slice of 2 steps costs ${sliceCost(toSpec(job, MNIST)).toLocaleString('en')} multiply-adds, .* no less than 200,000,000: use \\d+ steps per slice or more`)) as string }])
  })

  it('names the key that makes a slice too dear', () => {
    const job = template(edited(j => { j.architecture.hidden_sizes = [1000]; j.dataset_info.batch_size = 256; j.training = { steps_per_slice: 512 } }))
    expect(templateErrors(job, MNIST).map(e => e.field)).toEqual(['training.steps_per_slice'])
  })
})
