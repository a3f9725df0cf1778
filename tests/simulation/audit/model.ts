/** What a spec says about its model and what a slice of it costs: docs/exact.md, section 3, docs/protocol.md, section 5. */
import { COST_PER_CONV_MAC, COST_PER_ELEMENT, COST_PER_INPUT_ELEMENT, COST_PER_PARAMETER, COST_PER_POOL_ELEMENT, COST_PER_WINDOW_ELEMENT } from './numbers.ts'
import type { Op, Spec } from './wire.ts'

export const DENSE = 0
export const CONVOLUTION = 1
export const MAX_POOL = 2
export const AVERAGE_POOL = 3
export const ADD = 4
export const NORM = 5
export const SCORES = 6
export const SOFTMAX = 7
export const APPLICATION = 8

/** [channels, height, width] of one record. */
export type Shape = readonly [number, number, number]
export const sizeOf = ([c, h, w]: Shape): number => c * h * w

export const isWindow = ({ kind }: Op): boolean => kind === CONVOLUTION || kind === MAX_POOL || kind === AVERAGE_POOL
export const isProduct = ({ kind }: Op): boolean => kind === SCORES || kind === APPLICATION
export const hasWeights = ({ kind }: Op): boolean => kind === DENSE || kind === CONVOLUTION
/** Tensors it reads. */
export const readBy = (op: Op): readonly number[] => op.kind === ADD || isProduct(op) ? [op.a, op.b] : [op.a]

export const windowsAlong = (side: number, op: Op): number => Math.floor((side + 2 * op.padding - op.kernel) / op.stride) + 1

/** Of all windows along one side: elements in them, each as often as it lies in one, and different ones. */
export function along (side: number, op: Op): { readonly elements: number, readonly different: number } {
  const seen = new Set<number>()
  let elements = 0
  for (let o = 0; o < windowsAlong(side, op); o++) {
    for (let k = 0; k < op.kernel; k++) {
      const at = o * op.stride - op.padding + k
      if (at < 0 || at >= side) continue
      elements++
      seen.add(at)
    }
  }
  return { elements, different: seen.size }
}

export function written (op: Op, a: Shape, b: Shape): Shape {
  switch (op.kind) {
    case DENSE: return [op.units, 1, 1]
    case ADD: case NORM: case SOFTMAX: return a
    case SCORES: return [b[1] * b[2], a[1], a[2]]
    case APPLICATION: return [b[0], a[1], a[2]]
    default: return [op.kind === CONVOLUTION ? op.units : a[0], windowsAlong(a[1], op), windowsAlong(a[2], op)]
  }
}

/** Tensor 0 is the input, tensor i + 1 what operation i writes. */
export function tensorsOf (spec: Spec): Shape[] {
  const tensors: Shape[] = [[spec.channels, spec.height, spec.width]]
  for (const op of spec.ops) tensors.push(written(op, tensors[op.a], tensors[op.b]))
  return tensors
}

/** Of every layer with weights, in the order of its operations: units, inputs of a unit, and whether it has a ReLU. */
export function layersOf (spec: Spec): Array<{ readonly units: number, readonly inputs: number, readonly relu: boolean }> {
  const tensors = tensorsOf(spec)
  return spec.ops.filter(hasWeights).map(op => ({
    units: op.units,
    inputs: op.kind === DENSE ? sizeOf(tensors[op.a]) : tensors[op.a][0] / op.groups * op.kernel ** 2,
    relu: op.relu === 1
  }))
}

export const parametersOf = (spec: Spec): number => layersOf(spec).reduce((sum, { units, inputs }) => sum + units * inputs + units, 0)

/** Bytes of every payload: a shift per tensor of parameters, a byte per parameter, two per exponent. */
export const payloadBytesOf = (spec: Spec): number => parametersOf(spec) + 2 * layersOf(spec).length + 4 * (spec.ops.length - 1)

/** Pairs of a window and an element in it, of one channel. */
export const elementsInWindows = (op: Op, [, h, w]: Shape): number => along(h, op).elements * along(w, op).elements
export const elementsReadBy = (op: Op, a: Shape): number => isWindow(op) ? a[0] * along(a[1], op).different * along(a[2], op).different : sizeOf(a)

const costs = new WeakMap<Spec, number>()

/** cost(spec), in cost units. */
export function costOf (spec: Spec): number {
  const known = costs.get(spec)
  if (known !== undefined) return known
  const tensors = tensorsOf(spec)
  const read = new Map<number, number>([[spec.ops.length, sizeOf(tensors[spec.ops.length])]])
  let record = 0
  for (const [i, op] of spec.ops.entries()) {
    const a = tensors[op.a]
    const onInput = op.a === 0
    if (op.kind === DENSE) record += op.units * sizeOf(a) * (onInput ? 2 : 3)
    if (op.kind === CONVOLUTION) record += op.units / op.groups * a[0] * elementsInWindows(op, a) * (onInput ? 2 : 3) * COST_PER_CONV_MAC
    if (isProduct(op)) record += sizeOf(tensors[i + 1]) * a[0] * (1 + readBy(op).filter(t => t !== 0).length) * COST_PER_CONV_MAC
    if (op.kind === CONVOLUTION) record += COST_PER_WINDOW_ELEMENT * a[0] * elementsInWindows(op, a)
    if (op.kind === MAX_POOL || op.kind === AVERAGE_POOL) record += COST_PER_POOL_ELEMENT * a[0] * elementsInWindows(op, a) * (onInput ? 1 : 2)
    for (const t of readBy(op)) read.set(t, Math.max(read.get(t) ?? 0, t === op.a ? elementsReadBy(op, a) : sizeOf(tensors[t])))
  }
  for (const [t, elements] of read) record += elements * (t === 0 ? COST_PER_INPUT_ELEMENT : COST_PER_ELEMENT)
  const cost = spec.stepsPerSlice * (spec.batch * record + COST_PER_PARAMETER * parametersOf(spec))
  costs.set(spec, cost)
  return cost
}
