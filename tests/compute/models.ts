/** Random small models with every operation, for holding one backend against another. */
import fc from 'fast-check'
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model, type Op } from '../../src/core/codec/jobSpec.ts'
import { stepMacs } from '../../src/core/training/cost.ts'
import { graphErrors } from '../../src/core/training/graphRules.ts'
import { opOf, outputShape, tensorsRead, type TensorShape } from '../../src/core/training/shape.ts'

/** Model and batch size; graphErrors has nothing against them. */
export interface ModelCase { readonly model: Model, readonly batch: number }

/** One block of a model, as numbers that the tensor it is laid on limits. */
interface Draw {
  readonly block: 'conv' | 'maxPool' | 'averagePool' | 'norm' | 'dense' | 'add' | 'fork' | 'attention' | 'softmax'
  /** What the two arms of a fork are. */
  readonly arms: 'convs' | 'norms' | 'pools' | 'identity'
  readonly units: number
  readonly kernel: number
  readonly stride: number
  readonly padding: number
  readonly groups: 'one' | 'depthwise' | 'some' | 'wide'
  readonly relu: 0 | 1
  readonly pick: number
}

const draw: fc.Arbitrary<Draw> = fc.record({
  block: fc.constantFrom('conv', 'conv', 'conv', 'maxPool', 'averagePool', 'norm', 'dense', 'add', 'add', 'fork', 'fork', 'attention', 'attention', 'softmax'),
  arms: fc.constantFrom('convs', 'norms', 'pools', 'identity'),
  units: fc.integer({ min: 1, max: 11 }),
  kernel: fc.constantFrom(1, 1, 2, 2, 3, 3, 4, 5),
  stride: fc.constantFrom(1, 1, 1, 2, 2, 3),
  padding: fc.constantFrom(0, 0, 1, 2, 3),
  groups: fc.constantFrom('one', 'one', 'depthwise', 'some', 'wide'),
  relu: fc.constantFrom(0, 1),
  pick: fc.nat({ max: 1000 })
})

const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter(d => n % d === 0)

/** Builds a model op by op; every tensor that it leaves behind has been read. */
class Builder {
  readonly ops: Op[] = []
  readonly #tensors: TensorShape[]
  readonly #readers = [0]

  constructor (channels: number, height: number, width: number) {
    this.#tensors = [{ channels, height, width, size: channels * height * width }]
  }

  get newest (): number { return this.#tensors.length - 1 }

  push (fields: Partial<Op>): number {
    const op = opOf(fields)
    this.ops.push(op)
    this.#tensors.push(outputShape(op, this.#tensors[op.a], this.#tensors[op.b]))
    this.#readers.push(0)
    for (const t of tensorsRead(op)) this.#readers[t]++
    return this.newest
  }

  conv (a: number, { kernel, padding, stride, relu, groups, units, pick }: Draw): number {
    const { channels, height, width } = this.#tensors[a]
    const pad = Math.min(padding, kernel - 1)
    const side = Math.min(kernel, height + 2 * pad, width + 2 * pad)
    const all = divisors(channels)
    const count = groups === 'one' ? 1 : groups === 'depthwise' ? channels : all[pick % all.length]
    const each = groups === 'wide' ? 8 : groups === 'depthwise' ? 1 + pick % 2 : count === 1 ? units : 1 + pick % 3
    return this.push({ kind: OP_CONV, a, units: count * each, kernel: side, padding: Math.min(pad, side - 1), stride, groups: count, relu })
  }

  pool (a: number, kind: number, { kernel, stride }: Draw): number {
    const { height, width } = this.#tensors[a]
    return this.push({ kind, a, kernel: Math.min(kernel, height, width), stride })
  }

  /** Two readers of one tensor that meet again; 'identity' adds the tensor to what one of them makes of it. */
  fork (a: number, draw: Draw): number {
    const { arms, relu, kernel } = draw
    if (arms === 'norms') return this.#join(this.push({ kind: OP_NORM, a, relu }), this.push({ kind: OP_NORM, a, relu: 0 }), relu)
    if (arms === 'pools') return this.#join(this.pool(a, OP_MAX_POOL, draw), this.pool(a, OP_AVERAGE_POOL, draw), relu)
    if (arms === 'convs') {
      const first = this.conv(a, draw)
      const { units, groups, ...rest } = this.ops[this.ops.length - 1]
      return this.#join(first, this.push({ ...rest, units, groups: groups > 1 ? 1 : groups, relu: 1 - relu }), relu)
    }
    const { channels } = this.#tensors[a]
    const side = kernel % 2 === 1 ? kernel : kernel + 1
    return this.#join(this.push({ kind: OP_CONV, a, units: channels, kernel: side, padding: (side - 1) / 2, stride: 1, groups: 1, relu }), a, relu)
  }

  /** Adds an older tensor of the same shape, if there is one with room for a reader. */
  add (a: number, { pick, relu }: Draw): number {
    const { channels, height, width } = this.#tensors[a]
    const others = this.#tensors.flatMap((t, i) =>
      i !== a && this.#readers[i] < 4 && t.channels === channels && t.height === height && t.width === width ? [i] : [])
    return others.length === 0 ? a : this.#join(a, others[pick % others.length], relu)
  }

  /** The positions of one tensor against those of the same or an older one; with or without a softmax, with values that are convolved or keys again. */
  attention (a: number, { units, relu, stride, pick }: Draw): number {
    const older = this.#tensors.flatMap((_, i) => i !== a && this.#readers[i] < 3 ? [i] : [])
    const from = pick % 3 === 0 && older.length > 0 ? older[pick % older.length] : a
    const pointwise = (of: number): number => this.push({ kind: OP_CONV, a: of, units, kernel: 1, stride: 1, groups: 1 })
    const q = pointwise(a)
    const k = pointwise(from)
    let weights = this.push({ kind: OP_SCORES, a: q, b: k, relu: pick % 4 === 0 ? 1 : 0 })
    if (pick % 5 > 0) weights = this.push({ kind: OP_SOFTMAX, a: weights, stride: stride - 1 })
    return this.push({ kind: OP_APPLY, a: weights, b: pick % 2 === 0 ? k : pointwise(from), relu })
  }

  #join (a: number, b: number, relu: number): number { return this.push({ kind: OP_ADD, a, b, relu }) }
}

function build (channels: number, height: number, width: number, classes: number, draws: readonly Draw[]): Model {
  const builder = new Builder(channels, height, width)
  for (const draw of draws) {
    const a = builder.newest
    switch (draw.block) {
      case 'conv': builder.conv(a, draw); break
      case 'maxPool': builder.pool(a, OP_MAX_POOL, draw); break
      case 'averagePool': builder.pool(a, OP_AVERAGE_POOL, draw); break
      case 'norm': builder.push({ kind: OP_NORM, a, relu: draw.relu }); break
      case 'dense': builder.push({ kind: OP_DENSE, a, units: draw.units, relu: draw.relu }); break
      case 'add': builder.add(a, draw); break
      case 'fork': builder.fork(a, draw); break
      case 'attention': builder.attention(a, draw); break
      case 'softmax': builder.push({ kind: OP_SOFTMAX, a, stride: draw.stride - 1 }); break
    }
  }
  builder.push({ kind: OP_DENSE, a: builder.newest, units: classes })
  return { channels, height, width, ops: builder.ops }
}

/** Models of up to eight blocks whose step takes the reference some tens of milliseconds at most. */
export const modelCases: fc.Arbitrary<ModelCase> = fc.record({
  channels: fc.integer({ min: 1, max: 6 }),
  height: fc.integer({ min: 1, max: 11 }),
  width: fc.integer({ min: 1, max: 20 }),
  classes: fc.integer({ min: 2, max: 9 }),
  draws: fc.array(draw, { minLength: 1, maxLength: 8 }),
  batch: fc.integer({ min: 1, max: 19 })
}).map(({ channels, height, width, classes, draws, batch }) => ({ model: build(channels, height, width, classes, draws), batch }))
  .filter(({ model, batch }) => graphErrors(model, batch).length === 0 && stepMacs({ ...model, batch }) < 2_000_000)

/** Its operations in words, for a test that fails. */
export const describeModel = ({ channels, height, width, ops }: Model): string => [
  `${channels}x${height}x${width}`,
  ...ops.map(({ kind, a, b, relu, units, kernel, stride, padding, groups }, i) => {
    const tail = `${relu === 1 ? ' relu' : ''}${a === i ? '' : ` of ${a}`}`
    switch (kind) {
      case OP_DENSE: return `dense ${units}${tail}`
      case OP_CONV: return `conv ${units} k${kernel} s${stride} p${padding} g${groups}${tail}`
      case OP_ADD: return `add ${b}${tail}`
      case OP_NORM: return `norm${tail}`
      case OP_SCORES:
      case OP_APPLY: return `${kind === OP_SCORES ? 'scores' : 'apply'} ${b}${tail}`
      case OP_SOFTMAX: return `softmax v${stride}${tail}`
      default: return `${kind === OP_MAX_POOL ? 'max' : 'average'} pool k${kernel} s${stride}${tail}`
    }
  })
].join(', ')
