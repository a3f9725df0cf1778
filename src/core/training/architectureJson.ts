/**
 * The `architecture` of a job file: PoUW's widths of a multi-layer perceptron ("mlp"), or a list of
 * layers ("cnn") whose names follow Keras. A layer reads the one before it unless it says `input`;
 * "add" reads two. An "attention" layer becomes six operations, every other one becomes one.
 */
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model, type Op } from '../codec/jobSpec.ts'
import { MAX_CLASSES, MAX_FEATURES, MAX_KERNEL, MAX_LAYER_WIDTH, MAX_OPS, MAX_PADDING } from '../params.ts'
import { bitLength } from './integers.ts'
import { Fields } from './jsonFields.ts'
import { mlp, opOf } from './shape.ts'

export const MODEL_TYPES = ['mlp', 'cnn'] as const
export type ModelType = typeof MODEL_TYPES[number]

const LAYER_TYPES = ['dense', 'conv2d', 'max_pool2d', 'average_pool2d', 'add', 'norm', 'attention'] as const
type LayerType = typeof LAYER_TYPES[number]
/** Operations of an attention layer. */
const ATTENTION_OPS = 6

const KINDS: Readonly<Record<Exclude<LayerType, 'attention'>, number>> = {
  dense: OP_DENSE, conv2d: OP_CONV, max_pool2d: OP_MAX_POOL, average_pool2d: OP_AVERAGE_POOL, add: OP_ADD, norm: OP_NORM
}

function readMlp (f: Fields): Model | undefined {
  const input = f.integer('input_size', 1, MAX_FEATURES, true)
  const hidden = f.integers('hidden_sizes', 1, MAX_LAYER_WIDTH)
  const output = f.integer('output_size', 2, MAX_CLASSES, true)
  if (hidden !== undefined && hidden.length > MAX_OPS - 1) f.fail('hidden_sizes', `at most ${MAX_OPS - 1} hidden layers, has ${hidden.length}`)
  f.refuseUnknown()
  return input === undefined || hidden === undefined || output === undefined ? undefined : mlp([input, ...hidden, output])
}

/** The tensor that `key` names, among those written so far; the newest one where it is not given. */
function readTensor (f: Fields, key: string, names: ReadonlyMap<string, number>, newest: number, required: boolean): number | undefined {
  const name = f.string(key, required)
  if (name === undefined) return required ? undefined : newest
  return names.get(name) ?? f.fail(key, `no layer before this one is named ${JSON.stringify(name)}; named so far: ${[...names.keys()].join(', ')}`)
}

function readWindow (f: Fields, sizeKey: string, padded: boolean): Pick<Op, 'kernel' | 'stride' | 'padding'> | undefined {
  const kernel = f.integer(sizeKey, 1, MAX_KERNEL, true)
  // A pool moves by its own size, a convolution by one.
  const stride = f.integer('stride', 1, MAX_KERNEL, false) ?? (padded ? 1 : kernel)
  const padding = padded ? f.integer('padding', 0, MAX_PADDING, false) ?? 0 : 0
  return kernel === undefined || stride === undefined ? undefined : { kernel, stride, padding }
}

const readRelu = (f: Fields): number => f.choice('activation', ['relu', 'linear'], false) === 'relu' ? 1 : 0

/** Every key is read, whatever is wrong with the others: each complaint is made, and none that only follows. */
function readLayer (f: Fields, type: LayerType, names: ReadonlyMap<string, number>, newest: number): readonly Op[] | undefined {
  const a = readTensor(f, 'input', names, newest, false)
  if (type === 'attention') {
    const dim = f.integer('dim', 1, MAX_LAYER_WIDTH, true)
    f.integer('heads', 1, 1, false)
    const relu = readRelu(f)
    return a === undefined || dim === undefined ? undefined : attention(a, newest, dim, relu)
  }
  const op = readKind(f, type, KINDS[type], names, newest)
  return a === undefined || op === undefined ? undefined : [{ ...op, a }]
}

/** Queries, keys and values of tensor `a`, the scores of its positions over the root of `dim`, and what they weigh; `next` is the tensor before the first that is written. */
function attention (a: number, next: number, dim: number, relu: number): Op[] {
  const pointwise = opOf({ kind: OP_CONV, a, units: dim, kernel: 1, stride: 1, groups: 1 })
  return [
    pointwise, pointwise, pointwise,
    opOf({ kind: OP_SCORES, a: next + 1, b: next + 2 }),
    opOf({ kind: OP_SOFTMAX, a: next + 4, stride: (bitLength(dim) - 1) >> 1 }),
    opOf({ kind: OP_APPLY, a: next + 5, b: next + 3, relu })
  ]
}

/** Units of the attention layer whose first operation is number `i`; undefined if there is none. */
function attentionAt (ops: readonly Op[], i: number): number | undefined {
  const { a, units } = ops[i]
  const want = attention(a, i, units, ops[i + ATTENTION_OPS - 1]?.relu)
  const same = want.every((op, k) => Object.entries(op).every(([field, value]) => ops[i + k]?.[field as keyof Op] === value))
  return same ? units : undefined
}

/** First operation of every layer that a job file has for a model, and of its output. */
export function layersOf ({ ops }: Model): number[] {
  const starts: number[] = []
  for (let i = 0; i < ops.length; i += attentionAt(ops, i) === undefined ? 1 : ATTENTION_OPS) starts.push(i)
  return starts
}

function readKind (f: Fields, type: Exclude<LayerType, 'attention'>, kind: number, names: ReadonlyMap<string, number>, newest: number): Op | undefined {
  switch (type) {
    case 'dense': {
      const units = f.integer('units', 1, MAX_LAYER_WIDTH, true)
      const relu = readRelu(f)
      return units === undefined ? undefined : opOf({ kind, units, relu })
    }
    case 'conv2d': {
      const units = f.integer('filters', 1, MAX_LAYER_WIDTH, true)
      const window = readWindow(f, 'kernel_size', true)
      const groups = f.integer('groups', 1, MAX_LAYER_WIDTH, false) ?? 1
      const relu = readRelu(f)
      return units === undefined || window === undefined ? undefined : opOf({ kind, units, ...window, groups, relu })
    }
    case 'max_pool2d':
    case 'average_pool2d': {
      const window = readWindow(f, 'pool_size', false)
      return window === undefined ? undefined : opOf({ kind, ...window })
    }
    case 'add': {
      const b = readTensor(f, 'with', names, newest, true)
      const relu = readRelu(f)
      return b === undefined ? undefined : opOf({ kind, b, relu })
    }
    case 'norm': return opOf({ kind, relu: readRelu(f) })
  }
}

function readLayers (f: Fields): Model | undefined {
  const shape = f.integers('input_shape', 1, MAX_FEATURES)
  if (shape !== undefined && shape.length !== 3) f.fail('input_shape', `must be [channels, height, width], has ${shape.length} numbers`)
  const layers = f.objects('layers', MAX_OPS - 1)
  const output = f.integer('output_size', 2, MAX_CLASSES, true)
  f.refuseUnknown()
  const names = new Map([['input', 0]])
  const ops: Op[] = []
  let complete = true
  for (const layer of layers ?? []) {
    const type = layer.choice('type', LAYER_TYPES, true)
    const read = type === undefined ? undefined : readLayer(layer, type, names, ops.length)
    complete &&= read !== undefined
    // What cannot be read still has a number, so that names after it can be checked.
    ops.push(...read ?? [opOf({})])
    const name = layer.string('name', false)
    if (name !== undefined) {
      if (names.has(name)) layer.fail('name', `${JSON.stringify(name)} is taken`)
      names.set(name, ops.length)
    }
    // Which keys a layer may have depends on its type.
    if (type !== undefined) layer.refuseUnknown()
  }
  if (shape?.length !== 3 || layers === undefined || output === undefined || !complete) return undefined
  const [channels, height, width] = shape
  return { channels, height, width, ops: [...ops, opOf({ kind: OP_DENSE, a: ops.length, units: output })] }
}

export function readArchitecture (root: Fields, type: ModelType): Model | undefined {
  const f = root.object('architecture', true)
  if (f === undefined) return undefined
  return type === 'mlp' ? readMlp(f) : readLayers(f)
}

/** The key of a job file that a field of the model came from; undefined for other fields. */
export function architectureKey (model: Model, type: ModelType, field: string): string | undefined {
  const last = model.ops.length - 1
  if (field === 'channels' || field === 'height' || field === 'width') return type === 'mlp' ? 'architecture.input_size' : 'architecture.input_shape'
  if (!field.startsWith('ops')) return undefined
  const index = /^ops\[(\d+)\]/.exec(field)?.[1]
  if (index !== undefined && Number(index) === last) return 'architecture.output_size'
  if (type === 'mlp') return 'architecture.hidden_sizes'
  return index === undefined ? 'architecture.layers' : `architecture.layers[${layersOf(model).filter(start => start <= Number(index)).length - 1}]`
}

const WORDS: Readonly<Record<number, string>> = {
  [OP_MAX_POOL]: 'max', [OP_AVERAGE_POOL]: 'mean', [OP_ADD]: 'add', [OP_NORM]: 'norm', [OP_SCORES]: 'scores', [OP_SOFTMAX]: 'softmax', [OP_APPLY]: 'apply'
}

/** A model in a few words, for people: "784 – 128 – 64 – 10", "1×28×28 – conv 8 5×5 – max 2 – 10". */
export function describeModel (model: Model): string {
  const dense = model.ops.every(op => op.kind === OP_DENSE)
  const input = dense ? String(model.channels * model.height * model.width) : `${model.channels}×${model.height}×${model.width}`
  return [input, ...layersOf(model).map(i => {
    const op = model.ops[i]
    const dim = attentionAt(model.ops, i)
    if (dim !== undefined) return `attention ${dim}`
    switch (op.kind) {
      case OP_DENSE: return String(op.units)
      case OP_CONV: return `${op.groups === 1 ? 'conv' : op.groups === op.units ? 'depthwise' : 'grouped'} ${op.units} ${op.kernel}×${op.kernel}${op.stride === 1 ? '' : `/${op.stride}`}`
      case OP_MAX_POOL:
      case OP_AVERAGE_POOL: return `${WORDS[op.kind]} ${op.kernel}`
      default: return WORDS[op.kind]
    }
  })].join(' – ')
}
