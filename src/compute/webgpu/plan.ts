/**
 * Lays out the buffers for one model and batch, and lists the dispatches of a step. All numbers come
 * from shapes that graphRules.ts has passed: none is read from foreign code.
 */
import { OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_AVERAGE_POOL, OP_SCORES, OP_SOFTMAX, type Model } from '../../core/codec/jobSpec.ts'
import { bitLength } from '../../core/training/integers.ts'
import { ACTIVATION_NOISE, ERROR_NOISE, INPUT_NOISE } from '../../core/training/noise.ts'
import { isMatrixProduct, type OpShape, readersOf, shapeOf, type TensorShape, tensorsRead } from '../../core/training/shape.ts'
import { EXP2 } from '../tables.ts'
import { ACROSS, ALONG, POSITIONWISE } from './attention.ts'
import { GROUP, OP_FIELDS, OP_STRIDE, type OpField, TILE, UPDATE_GROUP } from './layout.ts'
import type { KernelName } from './shaders.ts'
import { QUANTISE_ENTRY, UPDATE_ENTRY } from './stepShaders.ts'

/** Steps whose records and noise are on the device at once: so many bytes, and not more than so many. */
const CHUNK_BYTES = 16 * 1024 * 1024
const CHUNK_STEPS_MAX = 64
/** A dispatch's products, in whole tiles: a few milliseconds of a slow GPU. */
const DISPATCH_MACS_MAX = 2 ** 29
/** Workgroups that keep a GPU busy: a gradient's sum is split until there are so many. */
const BUSY_GROUPS = 256
/** Words of a gradient's sum that a split is worth. */
const SPLIT_WORDS_MIN = 64
const GRID_MAX = 32768

const divideUp = (n: number, by: number): number => Math.ceil(n / by)
const roundUp = (n: number, to: number): number => divideUp(n, to) * to

export interface Dispatch {
  readonly kernel: KernelName
  /** Place of its numbers in the uniform buffer, bytes. */
  readonly offset: number
  readonly grid: readonly [x: number, y: number, z: number]
  /** Rough work, in products: for cutting submits. */
  readonly work: number
}

export interface Plan {
  readonly batch: number
  readonly slots: number
  /** Words of the buffers. */
  readonly bytes: number
  readonly ints: number
  readonly grads: number
  readonly uniforms: Uint8Array
  readonly table: Uint32Array
  /** Noise and tensor 0 of so many steps. */
  readonly opening: (steps: number) => Dispatch[]
  readonly step: readonly Dispatch[]
  /** First weight and bias of every layer, in ints. */
  readonly layers: ReadonlyArray<{ readonly weights: number, readonly biases: number }>
  readonly parameters: number
  /** Words: records and labels in bytes; scores in ints. */
  readonly records: number
  readonly labels: number
  readonly distances: number
  readonly sums: number
  readonly probabilities: number
  readonly classes: number
}

interface Place { readonly at: number, readonly words: number, readonly columns: number, readonly rows: number, readonly slot: number }

class Builder {
  bytes = 0
  ints = 0
  readonly table: number[] = [...EXP2]
  readonly ops: Array<Partial<Record<OpField, number>>> = []
  readonly dispatches: Dispatch[] = []

  takeBytes (words: number): number {
    const at = this.bytes
    this.bytes += roundUp(words, 16)
    return at
  }

  takeInts (words: number): number {
    const at = this.ints
    this.ints += roundUp(words, 16)
    return at
  }

  entries (values: readonly number[]): number {
    const at = this.table.length
    for (const value of values) this.table.push(value >>> 0)
    return at
  }

  /** Zero-filled rows of whole words. */
  tensor (rows: number, columns: number, slots = 1): Place {
    const words = divideUp(columns, 4)
    return { at: this.takeBytes(rows * words * slots), words, columns, rows, slot: slots > 1 ? rows * words : 0 }
  }

  dispatch (kernel: KernelName, op: Partial<Record<OpField, number>>, grid: Dispatch['grid'], work: number): Dispatch {
    const one = { kernel, offset: this.ops.length * OP_STRIDE, grid, work }
    this.ops.push(op)
    return one
  }

  run (...args: Parameters<Builder['dispatch']>): void { this.dispatches.push(this.dispatch(...args)) }

  /** Tiles of columns are cut into dispatches that are short by themselves. */
  products (kernel: KernelName, op: Partial<Record<OpField, number>>, columns: number, rows: number, groups: number, terms: number): void {
    const tiles = divideUp(columns, TILE)
    const high = divideUp(rows, TILE)
    const tileWork = TILE * TILE * Math.max(terms, 32) * high * groups
    const at = Math.max(1, Math.min(GRID_MAX, Math.floor(DISPATCH_MACS_MAX / tileWork)))
    for (let tileX = 0; tileX < tiles; tileX += at) {
      const x = Math.min(at, tiles - tileX)
      this.run(kernel, { ...op, tileX }, [x, high, groups], tileWork * x)
    }
  }

  /** Threads of `work` products each, likewise. */
  threads (kernel: KernelName, op: Partial<Record<OpField, number>>, items: number, work: number): void {
    const at = Math.max(1, Math.min(GRID_MAX, Math.floor(DISPATCH_MACS_MAX / (work * GROUP)))) * GROUP
    for (let first = 0; first < items; first += at) {
      const end = Math.min(items, first + at)
      this.run(kernel, { ...op, tileX: first, items: end }, itemGrid(end - first), work * (end - first))
    }
  }

  uniforms (): Uint8Array {
    const out = new Uint8Array(this.ops.length * OP_STRIDE)
    const view = new DataView(out.buffer)
    for (const [i, op] of this.ops.entries()) {
      for (const [place, field] of OP_FIELDS.entries()) view.setUint32(i * OP_STRIDE + 4 * place, (op[field] ?? 0) >>> 0, true)
    }
    return out
  }
}

/** Groups of threads in a grid that respects the limit of one dimension. */
const linearGrid = (groups: number): Dispatch['grid'] => groups <= GRID_MAX ? [groups, 1, 1] : [GRID_MAX, divideUp(groups, GRID_MAX), 1]
const itemGrid = (items: number): Dispatch['grid'] => linearGrid(divideUp(items, GROUP))

const planeOf = ({ height, width }: TensorShape): number => height * width
const windowBits = (kernel: number): number => bitLength(kernel * kernel) - 1
const offset = (dy: number, dx: number): number => ((dy & 0xffff) << 16) | (dx & 0xffff)
const isProduct = (kind: number): boolean => kind === OP_DENSE || kind === OP_CONV
/** Whether what an operation says about an error is made by a kernel of its own. */
const leavesSums = (kind: number): boolean => isProduct(kind) || isMatrixProduct(kind) || kind === OP_SOFTMAX

/** How four neighbouring columns are read. */
const SCATTERED = 0
/** Columns of the tensor read are columns of the product: one word. */
const FLAT = 1
/** Side by side in a row of the tensor read, at any byte. */
const RUN = 2

/** `columnWidth` is a row's length among the columns: of the output forward, of the input backward. */
function reading ({ op, input }: OpShape, columnWidth: number): number {
  if (op.kind === OP_DENSE) return planeOf(input) === 1 ? FLAT : SCATTERED
  if (op.stride > 1) return SCATTERED
  if (op.kernel === 1 && op.padding === 0) return FLAT
  return columnWidth % 4 === 0 ? RUN : SCATTERED
}

/** Terms of a unit's sum: where the channel begins, and what the window adds to the position. */
function forwardTaps ({ op, input, layer }: OpShape, rowBytes: number): number[] {
  const taps: number[] = []
  const area = op.kind === OP_DENSE ? planeOf(input) : op.kernel * op.kernel
  const side = op.kind === OP_DENSE ? input.width : op.kernel
  for (let k = 0; k < layer!.inputs; k++) {
    const tap = k % area
    taps.push(Math.floor(k / area) * rowBytes, offset(Math.floor(tap / side) - op.padding, tap % side - op.padding))
  }
  return taps
}

/** Terms of an input's error: units of its group, and for a convolution the windows' places. */
function backwardTaps ({ op, output }: OpShape, rowBytes: number): number[] {
  const taps: number[] = []
  const side = op.kind === OP_DENSE ? 1 : op.kernel
  const units = op.kind === OP_DENSE ? output.channels : output.channels / op.groups
  for (let unit = 0; unit < units; unit++) {
    for (let ky = 0; ky < side; ky++) {
      for (let kx = 0; kx < side; kx++) taps.push(unit * rowBytes, offset(op.padding - ky, op.padding - kx))
    }
  }
  return taps
}

export function planFor (model: Model, batch: number, training: boolean, amplitude: number): Plan {
  const build = new Builder()
  const { ops, tensors, layers } = shapeOf(model)
  const last = ops.length - 1
  const features = tensors[0].size
  const classes = tensors[last + 1].size
  const noisy = training ? 1 : 0

  // Noise: the streams of a step one after another, each from a block of its own.
  const streams: number[] = []
  let blocks = 0
  const stream = (tag: number, count: number): number => {
    const at = blocks
    streams.push(at, tag)
    blocks += divideUp(count, 64)
    return at * 16
  }
  /** Whether what an operation writes gets noise of its own. */
  const isNoisy = (i: number): boolean => i < last && (ops[i].layer !== undefined || isMatrixProduct(ops[i].op.kind))
  const inputStream = stream(INPUT_NOISE, batch * features)
  const activationStreams = ops.map(({ output }, i) => isNoisy(i) ? stream(ACTIVATION_NOISE + i, batch * output.size) : 0)
  const errorStreams = ops.map(({ output }, i) => stream(ERROR_NOISE + i, batch * output.size))
  const slots = training ? Math.max(1, Math.min(CHUNK_STEPS_MAX, Math.floor(CHUNK_BYTES / (2 * batch * features + 64 * blocks)))) : 1
  const noiseAt = build.takeBytes(training ? slots * blocks * 16 + 1 : 1)
  const noiseOf = (at: number): Partial<Record<OpField, number>> => ({ noise: noiseAt + at, blocks, slots })

  // Parameters, each tensor filled up to whole groups of the optimiser.
  const groupOf: number[] = []
  const updates: number[] = []
  let parameters = 0
  const placeParameters = (count: number, i: number, layer: number, biases: number): number => {
    const at = parameters
    const groups = divideUp(count, UPDATE_GROUP)
    for (let g = 0; g < groups; g++) groupOf.push(updates.length / UPDATE_ENTRY)
    updates.push(at / UPDATE_GROUP, count, i, ops[i].op.a, layer, biases)
    parameters += groups * UPDATE_GROUP
    return at
  }
  const places = ops.flatMap(({ layer }, i) => layer === undefined
    ? []
    : [{ weights: placeParameters(layer.outputs * layer.inputs, i, layer.index, 0), biases: placeParameters(layer.outputs, i, layer.index, 1) }])
  build.takeInts(parameters)
  const moments = training ? build.takeInts(parameters) : 0
  const spreads = training ? build.takeInts(parameters) : 0

  // Tensors and their errors.
  const records = build.takeBytes(divideUp(slots * batch * features, 4))
  const labels = build.takeBytes(divideUp(slots * batch, 4) + 1)
  const x: Place[] = tensors.slice(0, -1).map((tensor, t) => build.tensor(tensor.channels, batch * planeOf(tensor), t === 0 ? slots : 1))
  const errors: Place[] = training ? ops.map(({ output }) => build.tensor(output.channels, batch * planeOf(output))) : []
  const alive = ops.map(({ op, output }) => op.relu === 1 ? build.tensor(output.channels, batch * planeOf(output)).at : 0)
  const logits = build.takeInts(classes * batch)
  const scores = { distances: 0, sums: 0, probabilities: 0 }
  if (!training) {
    scores.distances = build.takeInts(batch * classes)
    scores.probabilities = build.takeInts(batch * classes)
    scores.sums = build.takeInts(batch)
  }

  // int8 weights.
  const segments: number[] = []
  const segmentOf: number[] = []
  const quantised = build.bytes
  const quantise = (rows: number, length: number, { op, layer, output }: OpShape, transposed: number): { at: number, words: number } => {
    const words = divideUp(length, 4)
    const at = build.takeBytes(roundUp(rows * words, GROUP))
    const taps = op.kind === OP_DENSE ? 1 : op.kernel * op.kernel
    const units = op.kind === OP_DENSE ? output.channels : output.channels / op.groups
    for (let g = 0; g < divideUp(rows * words, GROUP); g++) segmentOf.push(segments.length / QUANTISE_ENTRY)
    segments.push(at - quantised, layer!.index, words, layer!.inputs, taps, units, transposed, length, places[layer!.index].weights)
    return { at, words }
  }
  const rows = ops.map(shape => {
    const { op, input, output, layer } = shape
    if (layer === undefined) return undefined
    const forward = quantise(layer.outputs, layer.inputs, shape, 0)
    if (!training || op.a === 0) return { forward, backward: undefined }
    const backward = op.kind === OP_DENSE
      ? quantise(layer.inputs, layer.outputs, shape, 1)
      : quantise(input.channels, output.channels / op.groups * op.kernel * op.kernel, shape, 1)
    return { forward, backward }
  })
  const quantisedWords = build.bytes - quantised

  // What every operation that reads tensor t says about its error.
  const readers = tensors.map((_, t) => readersOf(model.ops, t))
  const norms = ops.map(({ op }) => op.kind === OP_NORM ? build.takeInts(4 * batch) : 0)
  const argmax = ops.map(({ op, output }) => op.kind === OP_MAX_POOL ? build.takeInts(batch * output.size) : 0)
  /** Whether the product's own kernel can round the error of the tensor it reads. */
  const fuses = (t: number): boolean => {
    const [only] = readers[t]
    return readers[t].length === 1 && isProduct(ops[only].op.kind) && (ops[only].op.kind === OP_CONV || planeOf(ops[only].input) === 1)
  }
  /** Sums that an operation leaves for the error of each tensor that it reads. */
  const raws = ops.map(({ op }) => tensorsRead(op).map(t =>
    training && t > 0 && leavesSums(op.kind) && !fuses(t) ? build.takeInts(x[t].rows * x[t].words * 4) : 0))
  const rawOf = (i: number, t: number): number => raws[i][tensorsRead(ops[i].op).indexOf(t)]
  /** The other tensor that a product of two reads. */
  const otherThan = (i: number, t: number): number => ops[i].op.a === t ? ops[i].op.b : ops[i].op.a
  const readerEntries = tensors.map((_, t) => !training || t === 0 ? 0 : build.entries(readers[t].flatMap(i => {
    const { op, output, layer } = ops[i]
    const e = errors[i]
    return [
      op.kind, i, layer?.index ?? (isMatrixProduct(op.kind) ? otherThan(i, t) : 0), op.kind === OP_AVERAGE_POOL ? windowBits(op.kernel) : op.kind === OP_SOFTMAX ? op.stride : 0, e.at, op.kernel, op.stride,
      output.height, output.width, e.words, argmax[i], e.columns, rawOf(i, t), t === tensors.length - 1 ? 0 : x[t].at, norms[i], 0
    ]
  })))

  const read = (t: number): Partial<Record<OpField, number>> => ({ source: x[t].at, sourceSlot: x[t].slot, slots })
  const written = (i: number): Partial<Record<OpField, number>> => ({
    out: x[i + 1].at, outWords: x[i + 1].words, cols: x[i + 1].columns, relu: ops[i].op.relu, alive: alive[i], index: i, noisy: isNoisy(i) ? noisy : 0, ...noiseOf(activationStreams[i])
  })

  /** L, whose samples have `positions` columns, and X, of `terms` terms (attention.ts). */
  const factors = (form: number, l: Place, positions: number, of: Place, terms: number): Partial<Record<OpField, number>> => ({
    flat: form, a: l.at, aWords: l.words, bSlot: l.slot, sourcePlane: positions, source: of.at, sourceSlot: of.slot, sourceWidth: of.words, terms, slots
  })

  // The step.
  const forwardTables = ops.map(({ op, layer }, i) => layer === undefined ? 0 : build.entries(forwardTaps(ops[i], x[op.a].words * 4)))
  const forwardGather = (i: number): Partial<Record<OpField, number>> => {
    const { op, input, output } = ops[i]
    return {
      ...read(op.a), taps: forwardTables[i], flat: reading(ops[i], output.width),
      groupSource: op.kind === OP_CONV ? input.channels / op.groups * x[op.a].words : 0,
      colHeight: output.height, colWidth: output.width, colMul: op.stride, sourceDiv: 1,
      sourceHeight: input.height, sourceWidth: input.width, sourcePlane: planeOf(input)
    }
  }
  build.run('quantise', { out: quantised, items: quantisedWords, table: build.entries(segments), b: build.entries(segmentOf) }, itemGrid(quantisedWords), 8 * quantisedWords)
  for (const [i, shape] of ops.entries()) {
    const { op, input, output, layer } = shape
    if (layer !== undefined) {
      const groups = op.kind === OP_CONV ? op.groups : 1
      const { forward } = rows[i]!
      const columns = batch * planeOf(output)
      const product: Partial<Record<OpField, number>> = {
        ...forwardGather(i), a: forward.at, aWords: forward.words, terms: layer.inputs, rows: layer.outputs / groups, cols: columns,
        kind: op.kind, tensorA: op.a, layer: layer.index, bias: places[layer.index].biases, hasBias: 1
      }
      if (i === last) build.products('raw', { ...product, out: logits, rawPlane: 1, rawStride: batch }, columns, layer.outputs, 1, layer.inputs)
      else build.products('activation', { ...product, ...written(i) }, columns, layer.outputs / groups, groups, layer.inputs)
      continue
    }
    if (isMatrixProduct(op.kind)) {
      const form = op.kind === OP_SCORES ? ACROSS : ALONG
      build.threads('attend', {
        ...factors(form, x[op.b], planeOf(shape.second), x[op.a], input.channels), ...written(i), plane: planeOf(input), kind: op.kind, tensorA: op.a, tensorB: op.b
      }, output.channels * x[i + 1].words, 8 * input.channels)
      continue
    }
    if (op.kind === OP_SOFTMAX) {
      build.threads('channelSoftmax', { ...read(op.a), ...written(i), tensorA: op.a, stride: op.stride, rows: input.channels }, x[i + 1].words, 64 * input.channels)
      continue
    }
    const common: Partial<Record<OpField, number>> = {
      ...read(op.a), kind: op.kind, tensorA: op.a, tensorB: op.b, plane: planeOf(input), width: input.width, rowBytes: x[op.a].words * 4,
      batch, size: input.size, norm: norms[i]
    }
    if (op.kind === OP_NORM) build.run('norm', { ...common, kind: 0 }, [batch, 1, 1], 4 * batch * input.size)
    const items = output.channels * x[i + 1].words
    const area = op.kernel * op.kernel
    build.run('forward', {
      ...common, ...written(i), items, b: x[op.b].at, bSlot: x[op.b].slot, kernel: op.kernel, stride: op.stride,
      windowBits: op.kind === OP_AVERAGE_POOL ? windowBits(op.kernel) : 0, colHeight: output.height, colWidth: output.width, argmax: argmax[i]
    }, itemGrid(items), items * (32 + 8 * area))
  }
  const lastLayer = ops[last].layer!
  build.run('softmax', {
    source: logits, rows: classes, batch, tensorA: ops[last].op.a, layer: lastLayer.index, noisy, labels,
    out: training ? errors[last].at : 0, outWords: divideUp(batch, 4), ...noiseOf(errorStreams[last]), ...scores
  }, [divideUp(batch, 4), 1, 1], 64 * batch * classes)

  if (training) {
    for (let t = last; t > 0; t--) {
      const tensor = tensors[t]
      const target: Partial<Record<OpField, number>> = {
        out: errors[t - 1].at, outWords: errors[t - 1].words, cols: errors[t - 1].columns, index: t - 1, relu: ops[t - 1].op.relu, alive: alive[t - 1], ...noiseOf(errorStreams[t - 1])
      }
      for (const i of readers[t]) {
        const { op, input, output, layer } = ops[i]
        if (op.kind === OP_NORM) {
          build.run('norm', { ...read(t), kind: 1, b: errors[i].at, plane: planeOf(input), rowBytes: x[t].words * 4, size: input.size, norm: norms[i] }, [batch, 1, 1], 4 * batch * input.size)
        }
        if (op.kind === OP_SOFTMAX) {
          build.threads('channelSoftmaxError', { out: rawOf(i, t), outWords: x[t].words, rows: input.channels, b: x[i + 1].at, source: errors[i].at, index: i }, x[t].words, 32 * input.channels)
        }
        if (isMatrixProduct(op.kind)) {
          const here = planeOf(input)
          const [a, b, e] = [x[op.a], x[op.b], errors[i]]
          const scores = op.kind === OP_SCORES
          const product = t === op.a
            ? factors(scores ? ALONG : ACROSS, b, planeOf(ops[i].second), e, output.channels)
            : scores ? factors(POSITIONWISE, a, here, e, here) : factors(POSITIONWISE, e, here, a, here)
          build.threads('attendError', { ...product, out: rawOf(i, t), outWords: x[t].words, cols: x[t].columns, plane: planeOf(tensor) }, tensor.channels * x[t].words, 8 * product.terms!)
        }
        if (layer === undefined) continue
        const backward = rows[i]!.backward!
        const convolution = op.kind === OP_CONV
        const groups = convolution ? op.groups : 1
        const units = output.channels / groups
        const terms = units * (convolution ? op.kernel * op.kernel : 1)
        const columns = batch * (convolution ? planeOf(input) : 1)
        const product: Partial<Record<OpField, number>> = {
          a: backward.at, aWords: backward.words, terms, taps: build.entries(backwardTaps(ops[i], errors[i].words * 4)),
          source: errors[i].at, groupSource: convolution ? units * errors[i].words : 0, flat: convolution ? reading(ops[i], input.width) : FLAT,
          colHeight: convolution ? input.height : 1, colWidth: convolution ? input.width : 1, colMul: 1, sourceDiv: convolution ? op.stride : 1,
          sourceHeight: output.height, sourceWidth: output.width, sourcePlane: planeOf(output),
          rows: (convolution ? input.channels : input.size) / groups, cols: columns, kind: op.kind, tensorB: i, layer: layer.index, slots
        }
        if (fuses(t)) build.products('error', { ...product, ...target }, columns, product.rows!, groups, terms)
        else build.products('raw', { ...product, out: rawOf(i, t), rawPlane: convolution ? 1 : planeOf(input), rawStride: x[t].words * 4 }, columns, product.rows!, groups, terms)
      }
      if (!fuses(t)) {
        const items = tensor.channels * x[t].words
        build.run('combine', {
          ...target, items, table: readerEntries[t], count: readers[t].length, plane: planeOf(tensor), width: tensor.width, batch
        }, itemGrid(items), 64 * items)
      }
    }
    for (const [i, shape] of ops.entries()) {
      const { op, layer } = shape
      if (layer === undefined) continue
      const groups = op.kind === OP_CONV ? op.groups : 1
      const units = layer.outputs / groups
      const { words, columns, at } = errors[i]
      const tiles = divideUp(units, TILE) * divideUp(layer.inputs + 1, TILE) * groups
      const splits = Math.max(1, Math.min(Math.floor(words / SPLIT_WORDS_MIN), Math.floor(BUSY_GROUPS / tiles)))
      const splitWords = divideUp(words, splits)
      build.products('gradient', {
        ...forwardGather(i), a: at, aWords: words, rows: units, cols: columns, kernelTerms: layer.inputs,
        splits: divideUp(words, splitWords), splitWords, grad: places[layer.index].weights, biasGrad: places[layer.index].biases
      }, layer.inputs + 1, units, groups * divideUp(words, splitWords), 4 * splitWords)
    }
    const groups = parameters / UPDATE_GROUP
    build.run('update', { out: 0, moments, spreads, blocks: groups, table: build.entries(updates), b: build.entries(groupOf) }, linearGrid(groups), 64 * parameters)
    const entries = ops.flatMap(({ op, layer }, i) => [
      op.kind, op.a, op.b, layer?.index ?? 0, op.kind === OP_AVERAGE_POOL ? windowBits(op.kernel) : 0, i === last ? 0 : readers[i + 1].length, i === last ? 0 : readerEntries[i + 1]
    ])
    build.run('exponents', { count: ops.length, rows: layers.length, table: build.entries(entries) }, [1, 1, 1], 1000)
  }

  const inputItems = x[0].rows * x[0].words
  const opening: Array<{ readonly one: Dispatch, readonly items: number }> = []
  if (training) {
    opening.push({ items: blocks, one: build.dispatch('noise', { out: noiseAt, items: slots * blocks, blocks, count: streams.length / 2, table: build.entries(streams) }, [1, 1, 1], 400 * blocks) })
  }
  opening.push({
    items: inputItems,
    one: build.dispatch('input', {
      out: x[0].at, outWords: x[0].words, rows: x[0].rows, cols: x[0].columns, items: slots * inputItems, records, batch, size: features, plane: planeOf(tensors[0]),
      amplitude: training ? amplitude : 0, ...noiseOf(inputStream)
    }, [1, 1, 1], 32 * inputItems)
  })

  return {
    batch, slots, bytes: build.bytes + 1, ints: build.ints, grads: training ? parameters : 1, uniforms: build.uniforms(), table: Uint32Array.from(build.table),
    opening: steps => opening.map(({ one, items }) => ({ ...one, grid: itemGrid(items * steps), work: one.work * steps })),
    step: build.dispatches, layers: places, parameters, records, labels, ...scores, classes
  }
}
