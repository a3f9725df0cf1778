/** Lays out the kernels' memory for one model and batch size. */
import { OP_CONV, OP_NORM, OP_SOFTMAX, type Model } from '../../core/codec/jobSpec.ts'
import { isMatrixProduct, type OpShape, readersOf, type Shape, shapeOf, type TensorShape } from '../../core/training/shape.ts'
import { EXP2 as EXP2_TABLE } from '../tables.ts'
import * as at from './assembly/layout.ts'

/** Below this, the kernels' module may keep data of its own. */
export const FIRST_FREE = 1024
const PAGE = 65536
/** Inputs of so many steps are handed over at once, bytes: a slice's may be hundreds of megabytes. */
const INPUT_CHUNK = 4 * 1024 * 1024
/** What a vector load may read past a buffer, a vector store may write past it, and the keystream's last pair of blocks. */
const SLACK = 128
/** Elements of a convolution's windows, or of its units' errors, that are held at once: 128 KiB, and as much packed. */
const TILE_ELEMENTS = 65536
/** Error sums of a tensor that are held at once, unless a single channel has more. */
const BLOCK_ELEMENTS = 65536

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to

export interface TensorPlan {
  readonly record: number
  /** Elements from one channel to the next. */
  readonly row: number
}

export interface LayerPlan {
  readonly inputs: number
  readonly outputs: number
  /** Addresses. */
  readonly canonicalWeights: number
  readonly biases: number
}

export interface Plan {
  readonly shape: Shape
  readonly batch: number
  /** Steps whose inputs fit the input buffer. */
  readonly chunkSteps: number
  /** Bytes of memory in all, whole pages. */
  readonly bytes: number
  /** Addresses. */
  readonly plan: number
  readonly inputs: number
  readonly labels: number
  readonly key: number
  readonly probabilities: number
  readonly distances: number
  readonly sums: number
  readonly tensors: readonly TensorPlan[]
  readonly layers: readonly LayerPlan[]
  /** Writes every address and size; the rest of the memory must be zero. */
  write (memory: Int32Array): void
}

interface Layer {
  readonly units: number
  readonly groups: number
  readonly inputs: number
  readonly paddedInputs: number
  readonly paddedOutputs: number
  /** Groups of few units: their panels would be mostly padding. */
  readonly sparse: boolean
  readonly tile: number
}

const greatestCommonDivisor = (a: number, b: number): number => b === 0 ? a : greatestCommonDivisor(b, a % b)

/** How an operation's product is laid out (assembly/product.ts, assembly/sparse.ts). */
function layerOf ({ op, layer, output }: OpShape, batch: number): Layer | undefined {
  if (layer === undefined) return undefined
  const groups = op.kind === OP_CONV ? op.groups : 1
  const units = layer.outputs / groups
  const paddedInputs = roundUp(layer.inputs, 4)
  const columns = roundUp(batch * output.height * output.width, 8)
  const most = Math.max(8, TILE_ELEMENTS / Math.max(paddedInputs, roundUp(units, 8)))
  // Whole lines of outputs, if they fit: what is gathered and scattered then has no odd ends.
  const line = output.width * 8 / greatestCommonDivisor(output.width, 8)
  const step = line <= most ? line : 8
  return {
    units,
    groups,
    inputs: layer.inputs,
    paddedInputs,
    paddedOutputs: roundUp(layer.outputs, 8),
    sparse: groups > 1 && units % 8 !== 0,
    tile: op.kind === OP_CONV ? Math.min(columns, Math.floor(most / step) * step) : columns
  }
}

/** Extents of a product of two tensors and of what it says about the error of each, a block of rows at a time, padded. */
function productsOf ({ op, input, second, output }: OpShape, i: number, block: (t: number) => number): Array<Record<'rows' | 'sum' | 'columns', number>> {
  const [here, there] = [input, second].map(({ height, width }) => roundUp(height * width, 8))
  return [
    { rows: roundUp(block(i + 1), 8), sum: roundUp(input.channels, 8), columns: here },
    { rows: roundUp(block(op.a), 8), sum: roundUp(output.channels, 8), columns: here },
    { rows: roundUp(block(op.b), 8), sum: here, columns: there }
  ]
}

/** Buffers that every operation uses in turn, in bytes. */
function scratch (shape: Shape, layers: ReadonlyArray<Layer | undefined>, batch: number, block: (t: number) => number, rowOf: (t: number) => number): Record<'noise' | 'gradient' | 'samplePanels' | 'unitPanels' | 'windows' | 'columns' | 'errorSums' | 'part' | 'norm' | 'softmax', number> {
  const most = (values: readonly number[]): number => Math.max(0, ...values)
  const each = (bytes: (layer: Layer) => number): number => most(layers.map(layer => layer === undefined ? 0 : bytes(layer)))
  const inner = shape.ops.slice(1).map((_, i) => i + 1)
  const errorSums = most(inner.map(t => 4 * block(t) * rowOf(t)))
  const products = shape.ops.flatMap((op, i) => isMatrixProduct(op.op.kind) ? productsOf(op, i, block) : [])
  const softmaxes = shape.ops.filter(({ op }) => op.kind === OP_SOFTMAX)
  const crowded = inner.some(t => readersOf(shape.ops.map(({ op }) => op), t).length > 1)
  return {
    noise: most(shape.tensors.map(({ size }) => batch * size)),
    gradient: each(layer => Math.max(
      4 * layer.paddedOutputs + 32,
      layer.sparse ? 4 * layer.inputs * layer.units * layer.groups + 32 : 4 * layer.paddedInputs * roundUp(layer.units, 8)
    )),
    samplePanels: Math.max(each(layer => 2 * Math.max(layer.paddedInputs, roundUp(layer.units, 8)) * layer.tile), ...products.map(({ sum, columns }) => 2 * sum * columns)),
    unitPanels: Math.max(each(layer => 2 * roundUp(layer.units, 8) * layer.tile), ...products.map(({ rows, sum }) => 2 * rows * sum)),
    windows: each(layer => 2 * layer.paddedInputs * layer.tile),
    columns: Math.max(each(layer => 4 * layer.paddedInputs * layer.tile), ...products.map(({ rows, columns }) => 4 * rows * columns), ...softmaxes.map(({ input }) => 32 * input.channels)),
    errorSums,
    part: crowded ? errorSums : 0,
    softmax: most(softmaxes.map(({ op }) => 4 * rowOf(op.a))),
    norm: most(shape.ops.map(({ op }) => op.kind === OP_NORM ? 4 * rowOf(op.a) : 0))
  }
}

export function planFor (model: Model, batch: number): Plan {
  const shape = shapeOf(model)
  const { ops, tensors } = shape
  let free = FIRST_FREE
  const take = (bytes: number): number => {
    const address = free
    free = roundUp(free + bytes + SLACK, 64)
    return address
  }
  const fields: Array<readonly [address: number, value: number]> = []
  const set = (address: number, value: number): number => { fields.push([address, value]); return value }

  const positions = ({ height, width }: TensorShape): number => height * width
  const rowOf = (t: number): number => roundUp(batch * positions(tensors[t]), 8)
  const block = (t: number): number => Math.min(tensors[t].channels, Math.max(1, Math.floor(BLOCK_ELEMENTS / rowOf(t))))
  const layouts = ops.map(op => layerOf(op, batch))
  const features = tensors[0].size
  const classes = tensors[ops.length].size
  const chunkSteps = Math.max(1, Math.floor(INPUT_CHUNK / (batch * features)))
  const scores = 4 * classes * rowOf(ops.length)

  const plan = take(at.PLAN_SIZE)
  const tensorTable = set(plan + at.TENSORS, take(at.TENSOR_SIZE * tensors.length))
  const opTable = set(plan + at.OP_TABLE, take(at.OP_SIZE * ops.length))
  const tensorRecord = (t: number): number => tensorTable + t * at.TENSOR_SIZE
  const opRecord = (i: number): number => opTable + i * at.OP_SIZE
  set(plan + at.OPS, ops.length)
  set(plan + at.BATCH, batch)
  const key = set(plan + at.KEY, take(32))
  const exp2 = set(plan + at.EXP2, take(4 * EXP2_TABLE.length))
  set(plan + at.LOGITS, take(scores))
  const probabilities = set(plan + at.PROBABILITY, take(scores))
  const distances = set(plan + at.DISTANCE, take(scores))
  const sums = set(plan + at.SUM, take(4 * rowOf(ops.length)))
  const sizes = scratch(shape, layouts, batch, block, rowOf)
  set(plan + at.NOISE, take(sizes.noise))
  set(plan + at.GRADIENT, take(sizes.gradient))
  set(plan + at.SAMPLE_PANELS, take(sizes.samplePanels))
  set(plan + at.UNIT_PANELS, take(sizes.unitPanels))
  set(plan + at.WINDOWS, take(sizes.windows))
  set(plan + at.COLUMNS, take(sizes.columns))
  set(plan + at.ERROR_SUMS, take(sizes.errorSums))
  set(plan + at.ERROR_PART, take(sizes.part))
  set(plan + at.ERROR_TRACE, take(sizes.part))
  set(plan + at.CHANNEL_SUMS, take(sizes.softmax))
  for (const field of [at.NORM_SQUARES, at.NORM_PRODUCTS, at.NORM_GAIN, at.NORM_PROJECTION]) set(plan + field, take(sizes.norm))

  const tensorPlans = tensors.map((tensor, t): TensorPlan => {
    const record = tensorRecord(t)
    const row = rowOf(t)
    const elements = roundUp(tensor.channels, 8) * row
    const readers = readersOf(model.ops, t)
    set(record + at.CHANNELS, tensor.channels)
    set(record + at.HEIGHT, tensor.height)
    set(record + at.WIDTH, tensor.width)
    set(record + at.POSITIONS, positions(tensor))
    set(record + at.ROW, row)
    set(record + at.BLOCK, block(t))
    // The logits are sums, which have no place as activations.
    if (t < ops.length) set(record + at.VALUES, take(2 * elements))
    if (t > 0) {
      set(record + at.ERRORS, take(2 * elements))
      set(record + at.ALIVE, ops[t - 1].op.relu === 1 ? take(elements / 8) : 0)
    }
    set(record + at.READERS, readers.length)
    for (const [i, reader] of readers.entries()) set(record + at.READER + 4 * i, opRecord(reader))
    return { record, row }
  })

  const layers: LayerPlan[] = []
  for (const [i, { op }] of ops.entries()) {
    const record = opRecord(i)
    set(record + at.KIND, op.kind)
    set(record + at.A, tensorRecord(op.a))
    set(record + at.B, tensorRecord(op.b))
    set(record + at.OUT, tensorRecord(i + 1))
    set(record + at.RELU, op.relu)
    set(record + at.KERNEL, op.kernel)
    set(record + at.STRIDE, op.stride)
    set(record + at.PADDING, op.padding)
    set(record + at.INDEX, i)
    const layout = layouts[i]
    if (layout === undefined) continue
    const { units, groups, inputs, paddedInputs, paddedOutputs, sparse, tile } = layout
    const outputs = units * groups
    const elements = sparse ? roundUp(inputs * outputs, 8) : paddedInputs * paddedOutputs
    set(record + at.GROUPS, groups)
    set(record + at.K, inputs)
    set(record + at.N, outputs)
    set(record + at.K_PADDED, paddedInputs)
    set(record + at.N_PADDED, paddedOutputs)
    set(record + at.SPARSE, sparse ? 1 : 0)
    set(record + at.TILE, tile)
    set(record + at.WEIGHTS, take(4 * elements))
    const canonicalWeights = set(record + at.WEIGHT_MEAN, take(4 * elements))
    set(record + at.WEIGHT_SPREAD, take(4 * elements))
    const biases = set(record + at.BIASES, take(4 * paddedOutputs))
    set(record + at.BIAS_MEAN, take(4 * paddedOutputs))
    set(record + at.BIAS_SPREAD, take(4 * paddedOutputs))
    set(record + at.FORWARD_PANELS, take(2 * (sparse ? roundUp(inputs, 2) * outputs : elements)))
    set(record + at.BACKWARD_PANELS, sparse || op.a === 0 ? 0 : take(2 * elements))
    layers.push({ inputs, outputs, canonicalWeights, biases })
  }
  const inputs = set(plan + at.INPUTS, take(chunkSteps * batch * features))
  const labels = set(plan + at.LABELS, take(chunkSteps * batch))

  return {
    shape,
    batch,
    chunkSteps,
    bytes: roundUp(free, PAGE),
    plan,
    inputs,
    labels,
    key,
    probabilities,
    distances,
    sums,
    tensors: tensorPlans,
    layers,
    write (memory) {
      for (const [address, value] of fields) memory[address >> 2] = value
      memory.set(EXP2_TABLE, exp2 >> 2)
    }
  }
}
