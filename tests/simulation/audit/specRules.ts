/** Which specs may be posted: docs/protocol.md, section 3.1, line by line. */
import { bytesOf, sameBytes } from './bytes.ts'
import { ADD, APPLICATION, CONVOLUTION, costOf, DENSE, elementsInWindows, elementsReadBy, hasWeights, isProduct, isWindow, MAX_POOL, AVERAGE_POOL, NORM, parametersOf, readBy, SCORES, type Shape, sizeOf, SOFTMAX, tensorsOf, written, windowsAlong } from './model.ts'
import { MAX_SLICE_COST } from './numbers.ts'
import type { Op, Spec } from './wire.ts'

/** The built-in digits. */
const BUILTIN = { root: bytesOf('a29d5ef1edfe03c4b5ad046581e1688f94da717fdc94d30bcc43150e9be2dcaa'), trainRecords: 12_000, testRecords: 2_000, features: 784, classes: 10 }

const within = (value: number, least: number, most: number): boolean => value >= least && value <= most

function nameIsFine (name: Uint8Array): boolean {
  if (!within(name.length, 1, 64)) return false
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name)
  } catch { return false }
  return !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)
}

function opProblem (op: Op, i: number, tensors: readonly Shape[], batch: number, last: boolean): string | undefined {
  const at = `operation ${i}`
  if (op.kind > APPLICATION) return `${at} is of kind ${op.kind}`
  if (op.a > i || op.b > i) return `${at} reads what is not written yet`
  if (op.relu > 1) return `${at} has relu ${op.relu}`
  if (last && (op.kind !== DENSE || op.relu !== 0)) return 'the last operation is no dense layer without ReLU'
  const used = {
    b: op.kind === ADD || isProduct(op),
    units: hasWeights(op),
    kernel: isWindow(op),
    stride: isWindow(op) || op.kind === SOFTMAX,
    padding: op.kind === CONVOLUTION,
    groups: op.kind === CONVOLUTION,
    relu: op.kind !== MAX_POOL && op.kind !== AVERAGE_POOL && op.kind !== SOFTMAX
  }
  for (const field of Object.keys(used) as Array<keyof typeof used>) if (!used[field] && op[field] !== 0) return `${at} does not use ${field}`
  const a = tensors[op.a]
  const b = tensors[op.b]
  if (hasWeights(op) && !within(op.units, 1, 4096)) return `${at} has ${op.units} units`
  if (op.kind === DENSE && sizeOf(a) > 4096) return `${at} has ${sizeOf(a)} inputs`
  if (op.kind === NORM && sizeOf(a) > 65_536) return `${at} has ${sizeOf(a)} inputs`
  if (op.kind === SOFTMAX && (op.stride > 8 || a[0] > 4096)) return `${at} divides by 2^${op.stride} over ${a[0]} channels`
  if (used.b && op.a === op.b) return `${at} reads one tensor twice`
  if (op.kind === ADD && a.join() !== b.join()) return `${at} adds ${b.join()} to ${a.join()}`
  if (op.kind === SCORES && a[0] !== b[0]) return `${at} scores ${a[0]} channels by ${b[0]}`
  if (op.kind === APPLICATION && a[0] !== b[1] * b[2]) return `${at} applies ${a[0]} channels to ${b[1] * b[2]} positions`
  if (isProduct(op) && Math.max(b[0], b[1] * b[2], a[1] * a[2]) > 4096) return `${at} has a side above 4096`
  if (isWindow(op)) {
    if (!within(op.kernel, 1, 64) || !within(op.stride, 1, 64) || op.padding > 16 || op.padding >= op.kernel) return `${at} has a window of ${op.kernel}, ${op.stride}, ${op.padding}`
    if (op.kernel > Math.min(a[1], a[2]) + 2 * op.padding) return `${at} has a window larger than its input`
    const laid = windowsAlong(a[1], op) * windowsAlong(a[2], op) * op.kernel ** 2
    if (laid > (op.kind === CONVOLUTION ? 64 : 9) * a[1] * a[2]) return `${at} has overlapping windows`
    if (laid > 4 * elementsInWindows(op, a)) return `${at} has windows over zeros`
  }
  if (op.kind === CONVOLUTION) {
    if (op.groups < 1 || a[0] % op.groups !== 0 || op.units % op.groups !== 0) return `${at} has ${op.groups} groups`
    if (a[0] / op.groups * op.kernel ** 2 > 4096 || op.units / op.groups * op.kernel ** 2 > 131_072) return `${at} sums too many products`
  }
  const [, h, w] = written(op, a, b)
  if (batch * sizeOf(written(op, a, b)) > 4_194_304) return `${at} writes too much`
  return batch * h * w > 131_072 ? `${at} has too many positions` : undefined
}

function graphProblem (spec: Spec): string | undefined {
  if (spec.ops.length < 1) return 'no operation'
  if (Math.min(spec.channels, spec.height, spec.width) < 1) return 'an empty input'
  const tensors: Shape[] = [[spec.channels, spec.height, spec.width]]
  for (const [i, op] of spec.ops.entries()) {
    const problem = opProblem(op, i, tensors, spec.batch, i === spec.ops.length - 1)
    if (problem !== undefined) return problem
    tensors.push(written(op, tensors[op.a], tensors[op.b]))
  }
  if (spec.batch * tensors.reduce((sum, t) => sum + sizeOf(t), 0) > 8_388_608) return 'all tensors together are too large'
  for (let t = 0; t < spec.ops.length; t++) {
    const readers = spec.ops.filter(op => readBy(op).includes(t))
    if (!within(readers.length, 1, 4)) return `tensor ${t} has ${readers.length} readers`
    const most = Math.max(...readers.map(op => op.a === t ? elementsReadBy(op, tensors[t]) : sizeOf(tensors[t])))
    if (2 * most < sizeOf(tensors[t])) return `of tensor ${t} only ${most} elements are read`
  }
  return undefined
}

/** Undefined if a job with this spec may be posted. */
export function specProblem (spec: Spec, minSliceCost: number): string | undefined {
  const { data } = spec
  if (!nameIsFine(spec.name)) return 'name'
  if (spec.operandBits !== 8 || spec.optimiser !== 0 || spec.schedule > 1) return 'operandBits, optimiser or schedule'
  if (!within(spec.lr20, 1, 65_535) || !within(spec.batch, 16, 256) || !within(spec.stepsPerSlice, 1, 512) || !within(spec.rounds, 1, 100_000)) return 'lr20, batch, stepsPerSlice or rounds'
  if (![4, 8, 16, 32].includes(spec.inputNoise)) return 'inputNoise'
  const records = data.trainRecords + data.testRecords
  if (!within(data.features, 1, 4096) || !within(data.classes, 2, 256) || data.trainRecords < spec.batch || data.testRecords < 1) return 'data'
  if (records > 200_000 || records * data.features > 67_108_864 || data.source > 1) return 'data'
  if (data.source === 0 && !(sameBytes(data.root, BUILTIN.root) && data.trainRecords === BUILTIN.trainRecords && data.testRecords === BUILTIN.testRecords && data.features === BUILTIN.features && data.classes === BUILTIN.classes)) return 'no such built-in data'
  const problem = graphProblem(spec)
  if (problem !== undefined) return problem
  const tensors = tensorsOf(spec)
  if (sizeOf(tensors[0]) !== data.features || sizeOf(tensors[spec.ops.length]) !== data.classes) return 'the model does not fit the data'
  if (parametersOf(spec) > 1_000_000) return 'too many parameters'
  return within(costOf(spec), minSliceCost, MAX_SLICE_COST) ? undefined : `a slice costs ${costOf(spec)}`
}
