/** Which graphs of operations are models: every reference, size and window, by field of JobSpec. */
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model, type Op } from '../codec/jobSpec.ts'
import { MAX_CONSUMERS, MAX_CONV_OVERLAP, MAX_KERNEL, MAX_LAYER_WIDTH, MAX_MODEL_ELEMENTS, MAX_OPS, MAX_PADDED_SHARE, MAX_PADDING, MAX_POOL_OVERLAP, MAX_SUM_TERMS, MAX_TENSOR_ELEMENTS, MAX_UNREAD_SHARE } from '../params.ts'
import type { FieldError } from './fieldError.ts'
import { elementsRead, isMatrixProduct, isWindowed, outputShape, readsTwo, tensorsRead, type TensorShape, windowTaps } from './shape.ts'

const KINDS = [OP_DENSE, OP_CONV, OP_MAX_POOL, OP_AVERAGE_POOL, OP_ADD, OP_NORM, OP_SCORES, OP_SOFTMAX, OP_APPLY]
/** A norm squares and sums a whole sample in 32 bits: 127^2 * 2^16 < 2^30. */
const MAX_NORM_SIZE = 65536
/** A softmax divides by at most 2^8, the root of a dot product's most terms being 2^6. */
const MAX_SOFTMAX_SCALE = 8

const positionsOf = ({ height, width }: TensorShape): number => height * width

/** The first thing wrong with operation `i`, given the tensors before it. */
function opError (op: Op, i: number, tensors: readonly TensorShape[], batch: number, last: boolean): readonly [field: keyof Op, message: string] | undefined {
  const unused = (fields: ReadonlyArray<keyof Op>): keyof Op | undefined => fields.find(field => op[field] !== 0)
  if (!KINDS.includes(op.kind)) return ['kind', `unknown operation ${op.kind}`]
  if (op.a > i) return ['a', `reads tensor ${op.a}, the newest is ${i}`]
  if (op.relu > 1) return ['relu', `must be 0 or 1, is ${op.relu}`]
  if (last && (op.kind !== OP_DENSE || op.relu === 1)) return ['kind', 'the last operation is a dense layer without ReLU']
  const input = tensors[op.a]
  const windowed = isWindowed(op)
  const weighted = op.kind === OP_DENSE || op.kind === OP_CONV
  const idle = unused([
    ...(readsTwo(op) ? [] : ['b'] as const),
    ...(weighted ? [] : ['units'] as const),
    ...(windowed ? [] : ['kernel', 'padding'] as const),
    ...(windowed || op.kind === OP_SOFTMAX ? [] : ['stride'] as const),
    ...(op.kind === OP_CONV ? [] : ['padding', 'groups'] as const),
    ...(op.kind === OP_MAX_POOL || op.kind === OP_AVERAGE_POOL || op.kind === OP_SOFTMAX ? ['relu'] as const : [])
  ])
  if (idle !== undefined) return [idle, `is not used by this operation and must be 0, is ${op[idle]}`]
  if (weighted && (op.units < 1 || op.units > MAX_LAYER_WIDTH)) return ['units', `must be 1 to ${MAX_LAYER_WIDTH}, is ${op.units}`]
  if (op.kind === OP_DENSE && input.size > MAX_LAYER_WIDTH) return ['a', `a dense layer takes at most ${MAX_LAYER_WIDTH} inputs, tensor ${op.a} has ${input.size}`]
  if (op.kind === OP_NORM && input.size > MAX_NORM_SIZE) return ['a', `a norm takes at most ${MAX_NORM_SIZE} inputs, tensor ${op.a} has ${input.size}`]
  if (op.kind === OP_SOFTMAX) {
    if (op.stride > MAX_SOFTMAX_SCALE) return ['stride', `a softmax divides by at most 2^${MAX_SOFTMAX_SCALE}, not 2^${op.stride}`]
    if (input.channels > MAX_LAYER_WIDTH) return ['a', `a softmax takes at most ${MAX_LAYER_WIDTH} channels, tensor ${op.a} has ${input.channels}`]
  }
  if (readsTwo(op) && op.b > i) return ['b', `reads tensor ${op.b}, the newest is ${i}`]
  if (isMatrixProduct(op.kind)) {
    if (op.b === op.a) return ['b', 'multiplies a tensor with itself']
    const other = tensors[op.b]
    const [left, right] = [positionsOf(other), positionsOf(input)]
    if (op.kind === OP_SCORES && other.channels !== input.channels) return ['b', `scores ${input.channels} channels by ${other.channels}`]
    if (op.kind === OP_APPLY && left !== input.channels) return ['b', `applies ${input.channels} channels to ${left} positions`]
    // Forward and backward, every side of the three matrices is summed over.
    const terms = Math.max(other.channels, left, right)
    if (terms > MAX_LAYER_WIDTH) return ['b', `a sum has ${terms} products, at most ${MAX_LAYER_WIDTH}`]
  }
  if (op.kind === OP_ADD) {
    if (op.b === op.a) return ['b', 'adds a tensor to itself']
    const other = tensors[op.b]
    if (other.channels !== input.channels || other.height !== input.height || other.width !== input.width) {
      return ['b', `adds [${other.channels}, ${other.height}, ${other.width}] to [${input.channels}, ${input.height}, ${input.width}]`]
    }
  }
  if (windowed) {
    if (op.kernel < 1 || op.kernel > MAX_KERNEL) return ['kernel', `must be 1 to ${MAX_KERNEL}, is ${op.kernel}`]
    if (op.stride < 1 || op.stride > MAX_KERNEL) return ['stride', `must be 1 to ${MAX_KERNEL}, is ${op.stride}`]
    if (op.padding > MAX_PADDING || op.padding >= op.kernel) return ['padding', `must be below the kernel and at most ${MAX_PADDING}, is ${op.padding}`]
    if (op.kernel > input.height + 2 * op.padding || op.kernel > input.width + 2 * op.padding) return ['kernel', `${op.kernel} does not fit ${input.height} x ${input.width} with padding ${op.padding}`]
  }
  if (windowed) {
    const output = outputShape(op, input, input)
    const products = output.height * output.width * op.kernel ** 2
    const most = op.kind === OP_CONV ? MAX_CONV_OVERLAP : MAX_POOL_OVERLAP
    if (products > most * input.height * input.width) return ['stride', `lays ${products} elements of windows over ${input.height * input.width} of the input, at most ${most} times as many`]
    if (products > MAX_PADDED_SHARE * windowTaps(op, input)) return ['padding', `${windowTaps(op, input)} of ${products} elements of its windows lie in the input, at least one in ${MAX_PADDED_SHARE} must`]
  }
  if (op.kind === OP_CONV) {
    const { groups } = op
    if (groups < 1 || input.channels % groups !== 0 || op.units % groups !== 0) return ['groups', `must divide ${input.channels} inputs and ${op.units} outputs, is ${groups}`]
    const terms = input.channels / groups * op.kernel * op.kernel
    const errorTerms = op.units / groups * op.kernel * op.kernel
    if (errorTerms > MAX_SUM_TERMS) return ['units', `an input's error sums ${errorTerms} products, at most ${MAX_SUM_TERMS}`]
    if (terms > MAX_LAYER_WIDTH) return ['kernel', `an output sums ${terms} products, at most ${MAX_LAYER_WIDTH}`]
  }
  const output = outputShape(op, input, tensors[op.b])
  if (batch * output.size > MAX_TENSOR_ELEMENTS) return ['units', `tensor ${i + 1} has ${batch * output.size} elements in a batch, at most ${MAX_TENSOR_ELEMENTS}`]
  if (batch * output.height * output.width > MAX_SUM_TERMS) return ['stride', `a weight's gradient sums ${batch * output.height * output.width} products, at most ${MAX_SUM_TERMS}`]
  return undefined
}

/** Empty if the operations are a model for batches of this size. */
export function graphErrors (model: Model, batch: number): FieldError[] {
  const { ops } = model
  if (ops.length < 1 || ops.length > MAX_OPS) return [{ field: 'ops', message: `must be 1 to ${MAX_OPS} operations, has ${ops.length}` }]
  for (const side of ['channels', 'height', 'width'] as const) {
    if (model[side] < 1) return [{ field: side, message: 'must be at least 1' }]
  }
  const tensors: TensorShape[] = [{ channels: model.channels, height: model.height, width: model.width, size: model.channels * model.height * model.width }]
  const consumers = new Array<number>(ops.length).fill(0)
  const read = new Array<number>(ops.length).fill(0)
  for (const [i, op] of ops.entries()) {
    const wrong = opError(op, i, tensors, batch, i === ops.length - 1)
    if (wrong !== undefined) return [{ field: `ops[${i}].${wrong[0]}`, message: wrong[1] }]
    tensors.push(outputShape(op, tensors[op.a], tensors[op.b]))
    for (const t of tensorsRead(op)) {
      consumers[t]++
      read[t] = Math.max(read[t], t === op.a ? elementsRead(op, tensors[t]) : tensors[t].size)
    }
  }
  const elements = batch * tensors.reduce((sum, { size }) => sum + size, 0)
  if (elements > MAX_MODEL_ELEMENTS) return [{ field: 'ops', message: `all tensors have ${elements} elements in a batch, at most ${MAX_MODEL_ELEMENTS}` }]
  const unread = consumers.indexOf(0)
  if (unread !== -1) return [{ field: unread === 0 ? 'ops' : `ops[${unread - 1}]`, message: `nothing reads tensor ${unread}` }]
  const skipped = read.findIndex((count, t) => count * MAX_UNREAD_SHARE < tensors[t].size)
  if (skipped !== -1) return [{ field: 'ops', message: `of tensor ${skipped}, ${read[skipped]} of ${tensors[skipped].size} elements are read, at least one in ${MAX_UNREAD_SHARE} must be` }]
  const crowded = consumers.findIndex(count => count > MAX_CONSUMERS)
  if (crowded !== -1) return [{ field: 'ops', message: `tensor ${crowded} is read by ${consumers[crowded]} operations, at most ${MAX_CONSUMERS}` }]
  return []
}
