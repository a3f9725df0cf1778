import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OP_ADD, OP_APPLY, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, OP_SCORES, OP_SOFTMAX, type Model, type Op } from '../../../src/core/codec/jobSpec.ts'
import { MAX_CONSUMERS, MAX_MODEL_ELEMENTS, MAX_OPS, MAX_SUM_TERMS, MAX_TENSOR_ELEMENTS } from '../../../src/core/params.ts'
import { stepCost } from '../../../src/core/training/cost.ts'
import { graphErrors } from '../../../src/core/training/graphRules.ts'
import { mlp, opOf, shapeOf } from '../../../src/core/training/shape.ts'

const dense = (a: number, units: number, relu = 0): Op => opOf({ kind: OP_DENSE, a, units, relu })
const conv = (a: number, fields: Partial<Op> = {}): Op => opOf({ kind: OP_CONV, a, units: 4, kernel: 3, stride: 1, padding: 1, groups: 1, ...fields })
const pool = (a: number, fields: Partial<Op> = {}): Op => opOf({ kind: OP_MAX_POOL, a, kernel: 2, stride: 2, ...fields })
const add = (a: number, b: number, fields: Partial<Op> = {}): Op => opOf({ kind: OP_ADD, a, b, ...fields })
const norm = (a: number, fields: Partial<Op> = {}): Op => opOf({ kind: OP_NORM, a, ...fields })
const scores = (a: number, b: number, fields: Partial<Op> = {}): Op => opOf({ kind: OP_SCORES, a, b, ...fields })
const softmax = (a: number, fields: Partial<Op> = {}): Op => opOf({ kind: OP_SOFTMAX, a, ...fields })
const apply = (a: number, b: number, fields: Partial<Op> = {}): Op => opOf({ kind: OP_APPLY, a, b, ...fields })

const on = (channels: number, height: number, width: number, ...ops: Op[]): Model => ({ channels, height, width, ops })
const picture = (...ops: Op[]): Model => on(2, 8, 8, ...ops, dense(ops.length, 3))

/** What is wrong, the model, the field it is laid to, the words; a batch of 16 unless said. */
const REFUSED: ReadonlyArray<readonly [what: string, model: Model, field: string, message: string, batch?: number]> = [
  ['no operation', on(2, 8, 8), 'ops', `must be 1 to ${MAX_OPS} operations, has 0`],
  ['too many operations', mlp(Array<number>(MAX_OPS + 2).fill(4)), 'ops', `must be 1 to ${MAX_OPS} operations, has ${MAX_OPS + 1}`],
  ['no channels', on(0, 8, 8, dense(0, 3)), 'channels', 'must be at least 1'],
  ['no height', on(1, 0, 8, dense(0, 3)), 'height', 'must be at least 1'],
  ['no width', on(1, 8, 0, dense(0, 3)), 'width', 'must be at least 1'],
  ['a kind nobody knows', picture(opOf({ kind: 9 })), 'ops[0].kind', 'unknown operation 9'],
  ['reading what is not written yet', picture(conv(1)), 'ops[0].a', 'reads tensor 1, the newest is 0'],
  ['a flag of 2', picture(conv(0, { relu: 2 })), 'ops[0].relu', 'must be 0 or 1, is 2'],
  ['an end that is no dense layer', on(2, 8, 8, conv(0)), 'ops[0].kind', 'the last operation is a dense layer without ReLU'],
  ['an end with ReLU', on(2, 8, 8, dense(0, 3, 1)), 'ops[0].kind', 'the last operation is a dense layer without ReLU'],
  ['a second input of a layer', picture(conv(0, { b: 1 })), 'ops[0].b', 'is not used by this operation and must be 0, is 1'],
  ['units of a pool', picture(pool(0, { units: 4 })), 'ops[0].units', 'is not used by this operation and must be 0, is 4'],
  ['units of an addition', picture(conv(0), conv(1), add(2, 1, { units: 4 })), 'ops[2].units', 'is not used by this operation and must be 0, is 4'],
  ['a window of a dense layer', picture(opOf({ kind: OP_DENSE, units: 4, kernel: 3 })), 'ops[0].kernel', 'is not used by this operation and must be 0, is 3'],
  ['a stride of a norm', picture(norm(0, { stride: 1 })), 'ops[0].stride', 'is not used by this operation and must be 0, is 1'],
  ['padding of a pool', picture(pool(0, { padding: 1 })), 'ops[0].padding', 'is not used by this operation and must be 0, is 1'],
  ['groups of a pool', picture(pool(0, { groups: 1 })), 'ops[0].groups', 'is not used by this operation and must be 0, is 1'],
  ['ReLU of a pool', picture(pool(0, { relu: 1 })), 'ops[0].relu', 'is not used by this operation and must be 0, is 1'],
  ['a layer without units', picture(conv(0, { units: 0 })), 'ops[0].units', 'must be 1 to 4096, is 0'],
  ['a layer that is too wide', picture(dense(0, 4097)), 'ops[0].units', 'must be 1 to 4096, is 4097'],
  ['a dense layer with too many inputs', on(3, 64, 64, dense(0, 3)), 'ops[0].a', 'a dense layer takes at most 4096 inputs, tensor 0 has 12288'],
  ['a norm with too many inputs', on(17, 64, 64, norm(0), dense(1, 3)), 'ops[0].a', 'a norm takes at most 65536 inputs, tensor 0 has 69632'],
  ['adding what is not written yet', picture(conv(0), add(1, 2)), 'ops[1].b', 'reads tensor 2, the newest is 1'],
  ['adding a tensor to itself', picture(conv(0), add(1, 1)), 'ops[1].b', 'adds a tensor to itself'],
  ['adding tensors that differ', picture(conv(0), add(1, 0)), 'ops[1].b', 'adds [2, 8, 8] to [4, 8, 8]'],
  ['scores of what is not written yet', picture(conv(0), scores(1, 2)), 'ops[1].b', 'reads tensor 2, the newest is 1'],
  ['scores of one tensor', picture(conv(0), scores(1, 1)), 'ops[1].b', 'multiplies a tensor with itself'],
  ['an application of one tensor', on(4, 2, 2, conv(0), apply(1, 1), dense(2, 3)), 'ops[1].b', 'multiplies a tensor with itself'],
  ['scores of other channels', picture(conv(0), scores(1, 0)), 'ops[1].b', 'scores 4 channels by 2'],
  ['weights of other positions', picture(conv(0), conv(1, { kernel: 2, padding: 0 }), scores(1, 2), apply(3, 1)), 'ops[3].b', 'applies 49 channels to 64 positions'],
  ['scores that sum over too many positions', on(1, 1, 4097, conv(0), conv(1), scores(1, 2), dense(3, 3)), 'ops[2].b', 'a sum has 4097 products, at most 4096'],
  ['scores that sum over too many channels', on(4097, 1, 2, norm(0), scores(1, 0), dense(2, 3)), 'ops[1].b', 'a sum has 4097 products, at most 4096'],
  ['scores with a window', picture(conv(0), conv(0), scores(1, 2, { kernel: 1 })), 'ops[2].kernel', 'is not used by this operation and must be 0, is 1'],
  ['scores that divide', picture(conv(0), conv(0), scores(1, 2, { stride: 1 })), 'ops[2].stride', 'is not used by this operation and must be 0, is 1'],
  ['a softmax of two tensors', picture(conv(0), softmax(1, { b: 1 })), 'ops[1].b', 'is not used by this operation and must be 0, is 1'],
  ['a softmax with ReLU', picture(softmax(0, { relu: 1 })), 'ops[0].relu', 'is not used by this operation and must be 0, is 1'],
  ['a softmax with padding', picture(softmax(0, { padding: 1 })), 'ops[0].padding', 'is not used by this operation and must be 0, is 1'],
  ['a softmax that divides by too much', picture(softmax(0, { stride: 9 })), 'ops[0].stride', 'a softmax divides by at most 2^8, not 2^9'],
  ['a softmax over too many channels', on(4097, 1, 1, softmax(0), dense(1, 3)), 'ops[0].a', 'a softmax takes at most 4096 channels, tensor 0 has 4097'],
  ['scores that are too many', on(1, 64, 64, conv(0), conv(0), scores(1, 2), dense(3, 3)), 'ops[2].units', `tensor 3 has 268435456 elements in a batch, at most ${MAX_TENSOR_ELEMENTS}`],
  ['no window', picture(conv(0, { kernel: 0, padding: 0 })), 'ops[0].kernel', 'must be 1 to 64, is 0'],
  ['a huge window', picture(conv(0, { kernel: 65 })), 'ops[0].kernel', 'must be 1 to 64, is 65'],
  ['no stride', picture(pool(0, { stride: 0 })), 'ops[0].stride', 'must be 1 to 64, is 0'],
  ['a huge stride', picture(pool(0, { stride: 65 })), 'ops[0].stride', 'must be 1 to 64, is 65'],
  ['a window of zeros alone', picture(conv(0, { padding: 3 })), 'ops[0].padding', 'must be below the kernel and at most 16, is 3'],
  ['wide padding', picture(conv(0, { kernel: 20, padding: 17 })), 'ops[0].padding', 'must be below the kernel and at most 16, is 17'],
  ['a window higher than the picture', on(1, 2, 8, pool(0, { kernel: 3 }), dense(1, 3)), 'ops[0].kernel', '3 does not fit 2 x 8 with padding 0'],
  ['a window wider than the picture', on(1, 8, 2, conv(0, { kernel: 5 }), dense(1, 3)), 'ops[0].kernel', '5 does not fit 8 x 2 with padding 1'],
  ['no groups', picture(conv(0, { groups: 0 })), 'ops[0].groups', 'must divide 2 inputs and 4 outputs, is 0'],
  ['groups that do not divide the inputs', picture(conv(0, { groups: 4 })), 'ops[0].groups', 'must divide 2 inputs and 4 outputs, is 4'],
  ['groups that do not divide the outputs', picture(conv(0, { groups: 2, units: 3 })), 'ops[0].groups', 'must divide 2 inputs and 3 outputs, is 2'],
  ['a sum that is too long', on(300, 8, 8, conv(0, { kernel: 4 }), dense(1, 3)), 'ops[0].kernel', 'an output sums 4800 products, at most 4096'],
  ['a tensor that is too large', on(1, 32, 32, conv(0, { units: 300 }), dense(1, 3)), 'ops[0].units', `tensor 1 has 4915200 elements in a batch, at most ${MAX_TENSOR_ELEMENTS}`],
  ['a gradient that sums too much', on(1, 64, 64, conv(0), pool(1, { kernel: 4, stride: 4 }), dense(2, 3)), 'ops[0].stride', `a weight's gradient sums 139264 products, at most ${MAX_SUM_TERMS}`, 34],
  ['an error that sums too much', on(1, 64, 64, conv(0, { units: 33, kernel: 64, padding: 0 }), dense(1, 3)), 'ops[0].units', `an input's error sums 135168 products, at most ${MAX_SUM_TERMS}`],
  ['tensors that are too large together', on(1, 32, 32, conv(0, { units: 250 }), conv(1, { units: 250 }), conv(2, { units: 250 }), pool(3, { kernel: 8, stride: 8 }), dense(4, 3)), 'ops', `all tensors have 12368432 elements in a batch, at most ${MAX_MODEL_ELEMENTS}`],
  // Its taps but one see zeros alone: the products were priced, and the updates known beforehand.
  ['taps that see zeros alone', on(3, 1, 1, conv(0, { kernel: 7, padding: 3 }), dense(1, 3)), 'ops[0].padding', '1 of 49 elements of its windows lie in the input, at least one in 4 must'],
  ['a convolution that a transform does faster', on(1, 64, 64, conv(0, { kernel: 32, padding: 0 }), pool(1), dense(2, 3)), 'ops[0].stride', 'lays 1115136 elements of windows over 4096 of the input, at most 64 times as many'],
  ['a pool that a running maximum does faster', on(1, 64, 64, pool(0, { kernel: 16, stride: 1 }), dense(1, 3)), 'ops[0].stride', 'lays 614656 elements of windows over 4096 of the input, at most 9 times as many'],
  ['an input of which little is read', on(1, 64, 64, conv(0, { kernel: 1, padding: 0, stride: 64 }), dense(1, 3)), 'ops', 'of tensor 0, 1 of 4096 elements are read, at least one in 2 must be'],
  ['a tensor that nothing reads', picture(conv(0), conv(1), add(2, 1), conv(1)), 'ops[2]', 'nothing reads tensor 3'],
  ['a tensor with too many readers', picture(conv(0), ...Array.from({ length: MAX_CONSUMERS + 1 }, () => conv(1)), add(2, 3), add(7, 4), add(8, 5), add(9, 6)), 'ops', `tensor 1 is read by 5 operations, at most ${MAX_CONSUMERS}`]
]

/** Every message of the rules, as a pattern. */
function messages (): RegExp[] {
  const source = readFileSync(new URL('../../../src/core/training/graphRules.ts', import.meta.url), 'utf8')
  const literals = [...source.matchAll(/(?:return \['\w+', |return \[idle, |message: )(`[^`]*`|'[^']*')/g)].map(found => found[1].slice(1, -1))
  const escaped = [...new Set(literals)].map(text => text.split(/\$\{[^}]*\}/).map(part => part.replaceAll(/[.*+?^$()|[\]\\{}]/g, '\\$&')).join('.+'))
  return escaped.map(text => new RegExp(`^${text}$`))
}

describe('graph rules', () => {
  it.each(REFUSED.map(([what, model, field, message, batch]) => ({ what, model, field, message, batch })))('refuses $what', ({ model, field, message, batch = 16 }) => {
    expect(graphErrors(model, batch)).toEqual([{ field, message }])
  })

  it('has no refusal without a row, and no row without a refusal', () => {
    const all = messages()
    expect(all.length).toBeGreaterThan(20)
    expect(all.filter(pattern => !REFUSED.some(([, , , message]) => pattern.test(message)))).toEqual([])
    expect(REFUSED.filter(([, , , message]) => !all.some(pattern => pattern.test(message)))).toEqual([])
  })

  it.each<[string, Model]>([
    ['a perceptron', mlp([784, 128, 64, 10])],
    ['a linear model', mlp([4, 3])],
    ['LeNet', on(1, 28, 28, conv(0, { units: 6, kernel: 5, padding: 2, relu: 1 }), pool(1), conv(2, { units: 16, kernel: 5, padding: 0, relu: 1 }), pool(3), dense(4, 120, 1), dense(5, 84, 1), dense(6, 10))],
    ['a residual block', picture(conv(0), conv(1), add(2, 1, { relu: 1 }), norm(3))],
    ['a depthwise convolution', picture(conv(0, { units: 2, groups: 2 }), conv(1, { kernel: 1, padding: 0 }))],
    ['as many readers as may be', picture(conv(0), ...Array.from({ length: MAX_CONSUMERS }, () => conv(1)), add(2, 3), add(6, 4), add(7, 5))],
    ['attention', picture(conv(0), conv(0), conv(0), scores(1, 2), softmax(4, { stride: 1 }), apply(5, 3))],
    ['attention of another picture', picture(conv(0), conv(0, { stride: 2 }), scores(1, 2), softmax(3), apply(4, 2), add(5, 1))],
    ['a shortcut that reads every other position beside a layer that reads all', picture(conv(0, { stride: 2 }), conv(0, { kernel: 1, padding: 0, stride: 2 }), add(2, 1))],
    ['a window as large as the picture', picture(opOf({ kind: OP_AVERAGE_POOL, kernel: 8, stride: 1 }))]
  ])('takes %s', (_, model) => { expect(graphErrors(model, 16)).toEqual([]) })
})

describe('a model that passes', () => {
  /** Mostly sensible operations, so that many models pass; the rules decide. */
  const someOp = (i: number): fc.Arbitrary<Op> => fc.record({
    kind: fc.constantFrom(OP_CONV, OP_CONV, OP_MAX_POOL, OP_AVERAGE_POOL, OP_ADD, OP_NORM, OP_DENSE, OP_SCORES, OP_SOFTMAX, OP_APPLY),
    back: fc.constantFrom(0, 0, 0, 1), other: fc.nat(i), relu: fc.constantFrom(0, 1), units: fc.integer({ min: 1, max: 6 }),
    kernel: fc.integer({ min: 1, max: 4 }), stride: fc.integer({ min: 1, max: 2 }), padding: fc.nat(1), groups: fc.constantFrom(1, 1, 1, 2)
  }).map(({ kind, back, other, relu, units, kernel, stride, padding, groups }) => {
    const a = Math.max(0, i - back)
    switch (kind) {
      case OP_DENSE: return dense(a, units, relu)
      case OP_CONV: return conv(a, { relu, units, kernel, stride, padding, groups })
      case OP_ADD: return add(a, other, { relu })
      case OP_NORM: return norm(a, { relu })
      case OP_SCORES: return scores(a, other, { relu })
      case OP_APPLY: return apply(a, other, { relu })
      case OP_SOFTMAX: return softmax(a, { stride })
      default: return opOf({ kind, a, kernel, stride })
    }
  })
  const someModel = fc.integer({ min: 0, max: 5 }).chain(n => fc.record({
    channels: fc.integer({ min: 1, max: 4 }), height: fc.integer({ min: 1, max: 9 }), width: fc.integer({ min: 1, max: 9 }),
    ops: fc.tuple(...Array.from({ length: n }, (_, i) => someOp(i))).map(ops => [...ops, dense(n, 3)])
  }))

  it('has tensors that fit one another, whole numbers throughout, and a cost', () => {
    let passed = 0
    fc.assert(fc.property(someModel, fc.integer({ min: 16, max: 40 }), (model, batch) => {
      if (graphErrors(model, batch).length > 0) return
      passed++
      const { tensors, ops, layers, parameters } = shapeOf(model)
      expect(tensors).toHaveLength(model.ops.length + 1)
      for (const t of tensors) {
        for (const side of [t.channels, t.height, t.width]) expect(Number.isInteger(side) && side >= 1).toBe(true)
        expect(t.size).toBe(t.channels * t.height * t.width)
      }
      for (const [i, { op, input, output, layer }] of ops.entries()) {
        expect([input, output]).toEqual([tensors[op.a], tensors[i + 1]])
        if (op.kind === OP_ADD || op.kind === OP_NORM) expect(output).toEqual(input)
        if (op.kind === OP_ADD) expect(tensors[op.b]).toEqual(output)
        if (op.kind === OP_SCORES) expect([tensors[op.b].channels, output.channels]).toEqual([input.channels, tensors[op.b].height * tensors[op.b].width])
        if (op.kind === OP_APPLY) expect([tensors[op.b].height * tensors[op.b].width, output.channels]).toEqual([input.channels, tensors[op.b].channels])
        if (op.kind === OP_CONV || op.kind === OP_MAX_POOL || op.kind === OP_AVERAGE_POOL) {
          // The last window lies inside the padded side, and one more would not.
          for (const [side, places] of [[input.height, output.height], [input.width, output.width]]) {
            expect((places - 1) * op.stride + op.kernel).toBeLessThanOrEqual(side + 2 * op.padding)
            expect(places * op.stride + op.kernel).toBeGreaterThan(side + 2 * op.padding)
          }
        }
        if (layer !== undefined) expect(layers[layer.index]).toEqual({ outputs: layer.outputs, inputs: layer.inputs })
      }
      expect(tensors[tensors.length - 1]).toMatchObject({ channels: 3, height: 1, width: 1 })
      expect(parameters).toBe(layers.reduce((sum, l) => sum + l.outputs * l.inputs + l.outputs, 0))
      const cost = stepCost({ ...model, batch })
      expect(Number.isSafeInteger(cost) && cost > 0).toBe(true)
    }), { numRuns: 1000 })
    expect(passed).toBeGreaterThan(100)
  })

  it('loses its place among the rules with any one reference moved past what is written', () => {
    fc.assert(fc.property(someModel, fc.nat(), (model, pick) => {
      fc.pre(graphErrors(model, 16).length === 0)
      const i = pick % model.ops.length
      const ops = model.ops.map((op, at) => at === i ? { ...op, a: i + 1 } : op)
      expect(graphErrors({ ...model, ops }, 16)).toEqual([{ field: `ops[${i}].a`, message: `reads tensor ${i + 1}, the newest is ${i}` }])
    }))
  })
})
