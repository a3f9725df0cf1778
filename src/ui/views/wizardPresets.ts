/** The models the wizard proposes: every one is taken by the network for the data it is proposed for. */
import type { DatasetPreview, RecordShape } from '../../bridge/api.ts'
import { MAX_BATCH, MAX_SUM_TERMS, MIN_BATCH } from '../../core/params.ts'
import { guessPicture, pictureOf } from '../pictures.ts'
import { isObject, read, write, type Json } from './wizardJson.ts'

export type ModelKind = 'mlp' | 'cnn'
export const PRESETS = ['small', 'medium'] as const
export type Preset = typeof PRESETS[number]

/** What the wizard knows of the records. */
export type Records = Pick<DatasetPreview, 'features' | 'classes' | 'trainRecords'> & Partial<RecordShape>

/** Convolutions pay on pictures in this range; smaller ones are seen whole by a dense layer. */
const SIDE_MIN = 16
const SIDE_MAX = 64
/** Records to train on in all: a small table is gone through more often. */
const SAMPLES = 240_000
const EPOCHS_MIN = 10
const EPOCHS_MAX = 2_000
/** First dense layers stay below this many weights, so that models stay below the million. */
const FIRST_WEIGHTS_MAX = 800_000

export const recordsPicture = (data: Records): RecordShape | undefined =>
  data.width === undefined ? guessPicture(data.features) : pictureOf(data.features, data)

export function defaultKind (data: Records): ModelKind {
  const shape = recordsPicture(data)
  return shape !== undefined && Math.min(shape.height, shape.width) >= SIDE_MIN && Math.max(shape.height, shape.width) <= SIDE_MAX ? 'cnn' : 'mlp'
}

export const kindOf = (root: Json): ModelKind => root['model_type'] === 'cnn' ? 'cnn' : 'mlp'

const conv = (filters: number, size: number, padding: number, more: Json = {}): Json => ({ type: 'conv2d', filters, kernel_size: size, ...(padding > 0 ? { padding } : {}), activation: 'relu', ...more })
const POOL: Json = { type: 'max_pool2d', pool_size: 2 }
const dense = (units: number): Json => ({ type: 'dense', units, activation: 'relu' })

function layers (preset: Preset, { height, width }: RecordShape): Json[] {
  const side = Math.min(height, width)
  // A window of five needs room: two such layers and their pools leave nothing of a small picture.
  const [size, padding] = side >= 20 ? [5, 0] : [3, 1]
  if (preset === 'small') return [conv(8, size, padding), POOL, conv(16, size, padding), POOL, dense(64)]
  const { activation: _none, ...plain } = conv(32, 3, 1)
  return [
    conv(16, 3, 1), POOL, conv(32, 3, 1), { ...POOL, name: 'trunk' },
    conv(32, 3, 1), plain, { type: 'add', with: 'trunk', activation: 'relu' },
    ...(side >= 20 ? [POOL] : []), dense(64)
  ]
}

function hidden (preset: Preset, features: number): number[] {
  if (preset === 'small') return [128, 64]
  return [features * 256 <= FIRST_WEIGHTS_MAX ? 256 : 192, 128, 64]
}

const LEARNING: Readonly<Record<ModelKind, { readonly rate: number, readonly batch: number }>> = {
  mlp: { rate: 0.001, batch: 32 },
  cnn: { rate: 0.002, batch: 64 }
}

export function architectureOf (kind: ModelKind, preset: Preset, data: Records): Json {
  const shape = recordsPicture(data) ?? { channels: 1, height: 1, width: data.features }
  return kind === 'mlp'
    ? { input_size: data.features, hidden_sizes: hidden(preset, data.features), output_size: data.classes }
    : { input_shape: [shape.channels, shape.height, shape.width], layers: layers(preset, shape), output_size: data.classes }
}

/** The preset that `root` is, if it is one. */
export function presetOf (root: Json, data: Records): Preset | undefined {
  return PRESETS.find(p => JSON.stringify(root['architecture']) === JSON.stringify(architectureOf(kindOf(root), p, data)))
}

/** Another model in the same job: its name, how long it trains and all else stay. */
export function withModel (root: Json, kind: ModelKind, architecture: Json, data: Records): Json {
  // The order of keys is that of the job files in examples/.
  const { name, model_type: _type, architecture: _old, ...rest } = root
  let out: Json = { ...(name === undefined ? {} : { name }), model_type: kind, architecture, ...rest }
  if (kind === kindOf(root)) return out
  out = write(out, 'optimizer.learning_rate', LEARNING[kind].rate)
  return write(out, 'dataset_info.batch_size', batchOf(kind, data))
}

/** No more than there is to train on, and what a convolution of the whole picture may sum in a gradient. */
function batchOf (kind: ModelKind, data: Records): number {
  const { height, width } = recordsPicture(data) ?? { height: 1, width: 1 }
  const most = Math.min(data.trainRecords, kind === 'cnn' ? MAX_SUM_TERMS / (height * width) : MAX_BATCH)
  return Math.max(MIN_BATCH, Math.min(LEARNING[kind].batch, 16 * Math.floor(most / 16)))
}

export function usePreset (root: Json, kind: ModelKind, preset: Preset, data: Records): Json {
  return withModel(root, kind, architectureOf(kind, preset, data), data)
}

/** A whole proposal for data that was just read, where nobody has changed the last one. */
export function propose (root: Json, data: Records): Json {
  const kind = defaultKind(data)
  const epochs = Math.min(EPOCHS_MAX, Math.max(EPOCHS_MIN, Math.ceil(SAMPLES / data.trainRecords)))
  let out = usePreset(root, kind, 'small', data)
  out = write(out, 'stopping_criterion.max_epochs', epochs)
  out = write(out, 'optimizer.learning_rate', LEARNING[kind].rate)
  return write(out, 'dataset_info.batch_size', batchOf(kind, data))
}

/** The data decides what goes in and what comes out; a model of pictures that are none is replaced. */
export function fitToData (root: Json, data: Records): Json {
  const shape = recordsPicture(data)
  let out = root
  if (kindOf(root) === 'mlp') {
    out = write(write(out, 'architecture.input_size', data.features), 'architecture.output_size', data.classes)
  } else if (shape !== undefined && isObject(root['architecture'])) {
    out = write(write(out, 'architecture.input_shape', [shape.channels, shape.height, shape.width]), 'architecture.output_size', data.classes)
  } else out = usePreset(root, 'mlp', 'small', data)
  return read(out, 'dataset_info.size') === undefined ? out : write(out, 'dataset_info.size', data.trainRecords)
}
