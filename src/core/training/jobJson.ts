/**
 * Job files: the JSON of PoUW's task examples (model_type, architecture, optimizer, ...) with
 * optional keys of our own, read strictly and exactly; examples/ has some. Two files
 * that say the same, in whatever order and spacing, give the same spec and so the same hash.
 */
import { OPTIMISER_L1_ADAM, SCHEDULE_CONSTANT, SCHEDULE_LINEAR, type DataRef, type JobSpec, type Model } from '../codec/jobSpec.ts'
import { fromHex } from '../codec/ssz.ts'
import { hash, u32le } from '../crypto/hash.ts'
import { MAX_BATCH, MAX_RECORDS, MAX_ROUNDS, MAX_SLICE_COST, MAX_STEPS_PER_SLICE, MIN_BATCH, MIN_SLICE_COST } from '../params.ts'
import { architectureKey, describeModel, MODEL_TYPES, type ModelType, readArchitecture } from './architectureJson.ts'
import { stepCost } from './cost.ts'
import { compareToInteger, lr20Of, scaleDecimal } from './decimal.ts'
import type { FieldError, Outcome } from './fieldError.ts'
import { parseJson } from './json.ts'
import { Fields } from './jsonFields.ts'
import { INPUT_NOISES, specErrors } from './specRules.ts'
import { utf8Bytes } from './utf8.ts'

/** Where the file says its records are; paths are for whoever opens files (the CLI). */
export type DataSource =
  | { readonly source: 'builtin' }
  | {
    readonly source: 'files'
    readonly format: 'idx' | 'csv'
    readonly trainFeatures: string
    readonly trainLabels?: string
    readonly testFeatures?: string
    readonly testLabels?: string
    readonly labelColumn?: string
  }

/** A job file without its data: what is left open depends on the number of records. */
export interface JobTemplate {
  readonly name: string
  readonly modelType: ModelType
  readonly model: Model
  readonly lr20: number
  readonly maxEpochs: number
  readonly batch: number
  /** Training records the file expects. */
  readonly size?: number
  /** Millionths; shown beside the curve, not enforced: work is paid as it is done. */
  readonly minAccuracyPpm?: number
  readonly data?: DataSource
  readonly stepsPerSlice?: number
  readonly inputNoise: number
  readonly rounds?: number
  readonly schedule: number
  readonly seed: Uint8Array
  /** What was accepted but has no effect here, in words. */
  readonly notes: readonly FieldError[]
}

const DEFAULT_STEPS_PER_SLICE = 128
const DEFAULT_INPUT_NOISE = 16
const NAME_BYTES_MAX = 64
const PPM = 1_000_000n
const MAX_SEED = 2n ** 53n - 1n
const SCHEDULES = { constant: SCHEDULE_CONSTANT, linear: SCHEDULE_LINEAR } as const

/** A seed given as a number; 32 bytes of hex stand for themselves. */
function seedFromInteger (n: bigint): Uint8Array {
  return hash('job-seed', u32le(Number(n & 0xffffffffn)), u32le(Number(n >> 32n)))
}

function parseSeed ({ integer, text }: { readonly integer?: bigint, readonly text?: string }): Uint8Array | undefined {
  if (text !== undefined) return fromHex(text, 32)
  return integer !== undefined && integer >= 0n && integer <= MAX_SEED ? seedFromInteger(integer) : undefined
}

function readLearningRate (root: Fields): number | undefined {
  const f = root.object('optimizer', true)
  if (f === undefined) return undefined
  f.choice('type', ['adam'], true)
  const rate = f.decimal('learning_rate', true)
  f.refuseUnknown()
  if (rate === undefined) return undefined
  return lr20Of(rate) ?? f.fail('learning_rate', 'must be above 0.0000004 and below 0.0625')
}

function readMaxEpochs (root: Fields): number | undefined {
  const f = root.object('stopping_criterion', true)
  f?.choice('type', ['max_epochs'], false)
  const epochs = f?.integer('max_epochs', 1, MAX_ROUNDS, true)
  f?.refuseUnknown()
  return epochs
}

function readRequirements (root: Fields, notes: FieldError[]): number | undefined {
  const f = root.object('performance_requirements', false)
  if (f === undefined) return undefined
  if (f.boolean('gpu', false) === true) notes.push({ field: f.name('gpu'), message: 'not enforced: every device computes the same bits, and any may take part' })
  const accuracy = f.decimal('min_accuracy', false)
  f.refuseUnknown()
  if (accuracy === undefined) return undefined
  if (compareToInteger(accuracy, 0n) < 0 || compareToInteger(accuracy, 1n) > 0) return f.fail('min_accuracy', 'must be from 0 to 1')
  notes.push({ field: f.name('min_accuracy'), message: 'shown beside the curve, not enforced: contributions are paid as they are sealed' })
  return Number(scaleDecimal(accuracy, PPM))
}

function readData (root: Fields): DataSource | undefined {
  const f = root.object('data', false)
  if (f === undefined) return undefined
  const source = f.choice('source', ['builtin', 'files'], true)
  if (source === undefined) return undefined
  if (source === 'builtin') {
    f.refuseUnknown()
    return { source }
  }
  const format = f.choice('format', ['idx', 'csv'], true)
  const trainFeatures = f.string('train_features', true)
  const testFeatures = f.string('test_features', false)
  const trainLabels = format === 'idx' ? f.string('train_labels', true) : undefined
  const testLabels = format === 'idx' ? f.string('test_labels', testFeatures !== undefined) : undefined
  const labelColumn = format === 'csv' ? f.string('label_column', false) : undefined
  if (testLabels !== undefined && testFeatures === undefined) f.fail('test_labels', 'needs test_features beside it')
  if (format === undefined || trainFeatures === undefined) return undefined
  f.refuseUnknown()
  return { source, format, trainFeatures, trainLabels, testFeatures, testLabels, labelColumn }
}

function readName (root: Fields): string | undefined {
  const name = root.string('name', false)
  if (name === undefined) return undefined
  if (name.trim() === '') return root.fail('name', 'is empty: give the job a name that people can know it by')
  const bytes = utf8Bytes(name)
  if (bytes === undefined) return root.fail('name', 'holds half of a character: write it anew')
  if (bytes.length > NAME_BYTES_MAX) return root.fail('name', `is too long: at most ${NAME_BYTES_MAX} plain letters (a letter with an accent counts as two, an emoji as four)`)
  return name
}

/** At most 64 bytes, as a name may have. */
function defaultName (type: ModelType, model: Model): string {
  const name = type === 'mlp' ? `mlp ${describeModel(model).replaceAll(' – ', '-')}` : `cnn of ${model.ops.length} layers`
  return name.length <= NAME_BYTES_MAX ? name : `mlp of ${model.ops.length} layers`
}

export function parseJobJson (text: string): Outcome<JobTemplate> {
  if (text.trim() === '') return { ok: false, errors: [{ field: 'json', message: 'is empty: write a job, or choose a job file' }] }
  const json = parseJson(text)
  if (!json.ok) {
    const { line, column, message } = json.error
    // What is no UTF-8 is read as this character.
    if (line === 1 && column === 1 && text.startsWith('\ufffd')) return { ok: false, errors: [{ field: 'json', message: 'is not text in UTF-8: choose a job file, which is JSON' }] }
    return { ok: false, errors: [{ field: 'json', message: `line ${line}, column ${column}: ${message}`, line }] }
  }
  const errors: FieldError[] = []
  const notes: FieldError[] = []
  const root = Fields.root(json.value, errors)
  if (root === undefined) return { ok: false, errors }
  const name = readName(root)
  const modelType = root.choice('model_type', MODEL_TYPES, true)
  const model = readArchitecture(root, modelType ?? 'mlp')
  const lr20 = readLearningRate(root)
  const maxEpochs = readMaxEpochs(root)
  root.choices('metrics', ['accuracy', 'loss'], false)
  const info = root.object('dataset_info', true)
  const batch = info?.integer('batch_size', MIN_BATCH, MAX_BATCH, true)
  const size = info?.integer('size', 1, MAX_RECORDS, false)
  info?.refuseUnknown()
  const minAccuracyPpm = readRequirements(root, notes)
  const data = readData(root)
  const training = root.object('training', false)
  const stepsPerSlice = training?.integer('steps_per_slice', 1, MAX_STEPS_PER_SLICE, false)
  const inputNoise = training?.integer('input_noise', INPUT_NOISES[0], INPUT_NOISES[INPUT_NOISES.length - 1], false)
  if (inputNoise !== undefined && !INPUT_NOISES.includes(inputNoise)) training?.fail('input_noise', `must be one of ${INPUT_NOISES.join(', ')}, is ${inputNoise}`)
  const rounds = training?.integer('rounds', 1, MAX_ROUNDS, false)
  const schedule = training?.choice('schedule', ['linear', 'constant'], false)
  const seed = training?.numberOrString('seed', 'a whole number from 0 to 2^53 - 1, or 64 lower-case hex digits', parseSeed)
  training?.refuseUnknown()
  root.refuseUnknown()
  if (errors.length > 0 || modelType === undefined || model === undefined || lr20 === undefined || maxEpochs === undefined || batch === undefined) return { ok: false, errors }
  return {
    ok: true,
    value: {
      name: name ?? defaultName(modelType, model),
      modelType,
      model,
      lr20,
      maxEpochs,
      batch,
      size,
      minAccuracyPpm,
      data,
      stepsPerSlice,
      inputNoise: inputNoise ?? DEFAULT_INPUT_NOISE,
      rounds,
      schedule: SCHEDULES[schedule ?? 'linear'],
      seed: seed ?? seedFromInteger(0n),
      notes
    }
  }
}

/** Fewer local steps where they are dear, more where a slice would cost less than a slice must. */
function defaultSteps (model: Model, batch: number): number {
  const cost = stepCost({ ...model, batch })
  const most = Math.max(1, Math.min(MAX_STEPS_PER_SLICE, Math.floor(MAX_SLICE_COST / cost)))
  return Math.min(most, Math.max(DEFAULT_STEPS_PER_SLICE, Math.ceil(MIN_SLICE_COST / cost)))
}

/** The spec for these records. Call templateErrors first: this decides nothing. */
export function toSpec (template: JobTemplate, data: DataRef): JobSpec {
  const { batch, model } = template
  const stepsPerSlice = template.stepsPerSlice ?? defaultSteps(model, batch)
  const samplesPerSlice = batch * stepsPerSlice
  return {
    name: utf8Bytes(template.name) as Uint8Array,
    ...model,
    operandBits: 8,
    optimiser: OPTIMISER_L1_ADAM,
    lr20: template.lr20,
    schedule: template.schedule,
    batch,
    stepsPerSlice,
    inputNoise: template.inputNoise,
    seed: template.seed,
    rounds: template.rounds ?? Math.ceil(template.maxEpochs * data.trainRecords / samplesPerSlice),
    data
  }
}

/** The key of a job file that a field of JobSpec came from. */
function keyOf (field: string, { model, modelType }: JobTemplate): string {
  const keys: Readonly<Record<string, string>> = {
    lr20: 'optimizer.learning_rate', batch: 'dataset_info.batch_size', stepsPerSlice: 'training.steps_per_slice', inputNoise: 'training.input_noise', rounds: 'training.rounds', schedule: 'training.schedule', 'data.trainRecords': 'data'
  }
  return architectureKey(model, modelType, field) ?? (Object.hasOwn(keys, field) ? keys[field] : field)
}

/** Why this job file and these records do not make a valid job; empty if they do. */
export function templateErrors (template: JobTemplate, data: DataRef): FieldError[] {
  const errors = specErrors(toSpec(template, data)).map(e => ({ ...e, field: keyOf(e.field, template) }))
  if (template.size !== undefined && template.size !== data.trainRecords) {
    errors.push({ field: 'dataset_info.size', message: `says ${template.size} training records, the data has ${data.trainRecords}; correct it or leave it out` })
  }
  return errors
}
