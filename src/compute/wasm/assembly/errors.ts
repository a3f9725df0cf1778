/** The error of a tensor from those of the operations that read it (docs/exact.md, 4.5). */
import { addErrors, addPart } from './add'
import { attendErrors, channelSoftmaxErrors, isMatrixProduct } from './attention'
import {
  A, ADD, ALIVE, AVERAGE_POOL, B, BATCH, BLOCK, CHANNELS, ERRORS, ERROR_EXPONENT, ERROR_PART, ERROR_STAT,
  ERROR_SUMS, ERROR_SUM_EXPONENT, ERROR_TRACE, EXPONENT, KIND, MAX_POOL, N, OUT, POSITIONS, READER, READERS,
  ROW, SOFTMAX, SPARSE, STRIDE, WEIGHT_EXPONENT
} from './layout'
import { normErrors } from './norm'
import { poolErrors, windowBits } from './pool'
import { isPointwise, productErrors } from './product'
import { field, pointer } from './record'
import { roundErrors } from './rounding'
import { sparseErrors } from './sparse'

// @ts-ignore: decorator
@inline
function readerAt (tensor: usize, i: i32): usize { return pointer(tensor + <usize>i * 4, READER) }

/** d of what an operation says about the error of the tensor that it reads. */
function sumExponent (op: usize, tensor: usize): i32 {
  const fe = field(pointer(op, OUT), ERROR_EXPONENT)
  const kind = field(op, KIND)
  if (field(op, N) !== 0) return fe + field(op, WEIGHT_EXPONENT)
  if (isMatrixProduct(op)) return fe + field(pointer(op, pointer(op, A) === tensor ? B : A), EXPONENT)
  if (kind === SOFTMAX) return fe + 2 * field(pointer(op, OUT), EXPONENT) + field(op, STRIDE)
  if (kind === AVERAGE_POOL) return fe + windowBits(op)
  return kind === MAX_POOL || kind === ADD ? fe : fe + 16 - field(tensor, EXPONENT)
}

/** D of one reader of a tensor for channels from..to - 1, i32 [channels][row]. */
function errorSums (plan: usize, op: usize, tensor: usize, from: i32, to: i32, out: usize): void {
  const kind = field(op, KIND)
  if (field(op, SPARSE)) sparseErrors(plan, op, from, to, out)
  else if (field(op, N) !== 0) productErrors(plan, op, from, to, out, false, 0, 0)
  else if (isMatrixProduct(op)) attendErrors(plan, op, pointer(op, A) !== tensor, from, to, out)
  else if (kind === SOFTMAX) channelSoftmaxErrors(plan, op, from, to, out)
  else if (kind === ADD) addErrors(plan, op, from, to, out)
  else if (kind === MAX_POOL || kind === AVERAGE_POOL) poolErrors(plan, op, from, to, out)
  else normErrors(plan, op, from, to, out)
}

/**
 * Writes the error of a tensor, a block of channels at a time: so that sums of 32 bits are never
 * held for all of it. A norm's projection takes all channels, and comes first.
 */
export function errorOf (plan: usize, tensor: usize, noise: usize): void {
  const readers = field(tensor, READERS)
  const first = readerAt(tensor, 0)
  let bits = sumExponent(first, tensor)
  for (let i = 1; i < readers; i++) bits = max(bits, sumExponent(readerAt(tensor, i), tensor))
  const shift = bits - field(tensor, ERROR_EXPONENT)
  const channels = field(tensor, CHANNELS)
  const row = field(tensor, ROW)
  const count = field(plan, BATCH) * field(tensor, POSITIONS)
  const errors = pointer(tensor, ERRORS)
  let stat: u32 = 0
  if (readers === 1 && field(first, N) !== 0 && !field(first, SPARSE) && isPointwise(first)) {
    stat = productErrors(plan, first, 0, channels, errors, true, noise, shift)
  } else {
    const block = field(tensor, BLOCK)
    const sums = pointer(plan, ERROR_SUMS)
    const trace = readers === 1 ? sums : pointer(plan, ERROR_TRACE)
    const alive = pointer(tensor, ALIVE)
    for (let from = 0; from < channels; from += block) {
      const to = min(channels, from + block)
      for (let i = 0; i < readers; i++) {
        const op = readerAt(tensor, i)
        if (readers === 1) errorSums(plan, op, tensor, from, to, sums)
        else {
          errorSums(plan, op, tensor, from, to, pointer(plan, ERROR_PART))
          addPart(pointer(plan, ERROR_PART), sums, trace, (to - from) * row, bits - sumExponent(op, tensor), i > 0)
        }
      }
      const at = <usize>from * row
      stat = max(stat, roundErrors(
        sums, trace, errors + at * 2, alive === 0 ? 0 : alive + (at >> 3), noise + <usize>from * count, to - from, row, count, shift
      ))
    }
  }
  store<i32>(tensor + ERROR_SUM_EXPONENT, bits)
  store<u32>(tensor + ERROR_STAT, stat)
}
