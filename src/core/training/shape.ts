/** What a model's operations say about its tensors. All functions take a model that graphRules.ts has passed. */
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model, type Op } from '../codec/jobSpec.ts'

/** One record's part of a tensor, [channels, height, width] row major. */
export interface TensorShape {
  readonly channels: number
  readonly height: number
  readonly width: number
  /** Elements. */
  readonly size: number
}

/** Weights are [outputs, inputs] row major, biases [outputs]. */
export interface LayerShape { readonly outputs: number, readonly inputs: number }

export interface OpShape {
  readonly op: Op
  readonly input: TensorShape
  /** Tensor b, of operations that read two. */
  readonly second: TensorShape
  readonly output: TensorShape
  /** Of a dense layer or convolution: its place among the layers with weights, and their shape. */
  readonly layer?: LayerShape & { readonly index: number }
}

export interface Shape {
  /** Tensor 0 is the input, tensor i + 1 is written by operation i. */
  readonly tensors: readonly TensorShape[]
  readonly ops: readonly OpShape[]
  /** The operations with weights, in order. */
  readonly layers: readonly LayerShape[]
  /** Weights and biases. */
  readonly parameters: number
}

const tensor = (channels: number, height: number, width: number): TensorShape =>
  ({ channels, height, width, size: channels * height * width })

/** Positions of a window along one side. */
export const positions = (side: number, { kernel, stride, padding }: Pick<Op, 'kernel' | 'stride' | 'padding'>): number =>
  Math.floor((side + 2 * padding - kernel) / stride) + 1

/** Operations that read tensor b as well. */
export const readsTwo = ({ kind }: Pick<Op, 'kind'>): boolean => kind === OP_ADD || isMatrixProduct(kind)

/** Products of two tensors, sample by sample: scores of positions, and what they weigh. */
export const isMatrixProduct = (kind: number): boolean => kind === OP_SCORES || kind === OP_APPLY

/** The tensors that an operation reads. */
export const tensorsRead = (op: Op): readonly number[] => readsTwo(op) ? [op.a, op.b] : [op.a]

/** The operations that read tensor t, in order. */
export const readersOf = (ops: readonly Op[], t: number): number[] => ops.flatMap((op, i) => tensorsRead(op).includes(t) ? [i] : [])

/** What the windows of an operation reach along one side of its input, the zeros around it left out. */
export interface Reach {
  /** Pairs of a window and an element in it. */
  readonly taps: number
  /** Elements that lie in some window. */
  readonly covered: number
}

export function reach (side: number, op: Pick<Op, 'kernel' | 'stride' | 'padding'>): Reach {
  let taps = 0
  let covered = 0
  let seen = 0
  for (let o = 0; o < positions(side, op); o++) {
    const from = Math.max(0, o * op.stride - op.padding)
    const to = Math.min(side, o * op.stride - op.padding + op.kernel)
    if (to <= from) continue
    taps += to - from
    covered += Math.max(0, to - Math.max(from, seen))
    seen = Math.max(seen, to)
  }
  return { taps, covered }
}

const WINDOWED = [OP_CONV, OP_MAX_POOL, OP_AVERAGE_POOL]
export const isWindowed = ({ kind }: Pick<Op, 'kind'>): boolean => WINDOWED.includes(kind)

/** Elements of its input that an operation reads. */
export function elementsRead (op: Op, { channels, height, width, size }: TensorShape): number {
  return isWindowed(op) ? channels * reach(height, op).covered * reach(width, op).covered : size
}

/** Pairs of an output position and an element of one input channel under its window. */
export const windowTaps = (op: Op, { height, width }: TensorShape): number => reach(height, op).taps * reach(width, op).taps

/** What an operation makes of tensors a and b. */
export function outputShape (op: Op, input: TensorShape, second: TensorShape): TensorShape {
  switch (op.kind) {
    case OP_DENSE: return tensor(op.units, 1, 1)
    case OP_ADD:
    case OP_NORM:
    case OP_SOFTMAX: return input
    case OP_SCORES: return tensor(second.height * second.width, input.height, input.width)
    case OP_APPLY: return tensor(second.channels, input.height, input.width)
    default: return tensor(op.kind === OP_CONV ? op.units : input.channels, positions(input.height, op), positions(input.width, op))
  }
}

function layerShape (op: Op, input: TensorShape): LayerShape | undefined {
  if (op.kind === OP_DENSE) return { outputs: op.units, inputs: input.size }
  if (op.kind === OP_CONV) return { outputs: op.units, inputs: input.channels / op.groups * op.kernel * op.kernel }
  return undefined
}

/** Specs never change in place, and what follows from one is asked for at every slice and payload. */
const shapes = new WeakMap<Model, Shape>()

export function shapeOf (model: Model): Shape {
  let shape = shapes.get(model)
  if (shape === undefined) shapes.set(model, shape = buildShape(model))
  return shape
}

function buildShape (model: Model): Shape {
  const tensors = [tensor(model.channels, model.height, model.width)]
  const layers: LayerShape[] = []
  const ops: OpShape[] = []
  for (const op of model.ops) {
    const input = tensors[op.a]
    const second = tensors[op.b]
    const output = outputShape(op, input, second)
    const layer = layerShape(op, input)
    ops.push({ op, input, second, output, ...(layer === undefined ? {} : { layer: { ...layer, index: layers.length } }) })
    if (layer !== undefined) layers.push(layer)
    tensors.push(output)
  }
  return { tensors, ops, layers, parameters: layers.reduce((sum, l) => sum + l.outputs * (l.inputs + 1), 0) }
}

const plainOp: Op = { kind: OP_DENSE, a: 0, b: 0, relu: 0, units: 0, kernel: 0, stride: 0, padding: 0, groups: 0 }

/** An operation with what is not named at 0. */
export const opOf = (fields: Partial<Op>): Op => ({ ...plainOp, ...fields })

/** A multi-layer perceptron: widths of the input, the hidden layers (ReLU), the output. */
export const mlp = (widths: readonly number[]): Model => ({
  channels: widths[0],
  height: 1,
  width: 1,
  ops: widths.slice(1).map((units, i) => opOf({ a: i, units, relu: i < widths.length - 2 ? 1 : 0 }))
})
