import { describe, expect, it } from 'vitest'
import { OP_CONV, OP_MAX_POOL, type JobSpec, type Model, type Op } from '../../../src/core/codec/jobSpec.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { COST_PER_ELEMENT, COST_PER_INPUT_ELEMENT, COST_PER_PARAMETER, COST_PER_POOL_ELEMENT, COST_PER_WINDOW_ELEMENT, MAX_SLICE_COST, MIN_SLICE_COST } from '../../../src/core/params.ts'
import { benchmarkSpec } from '../../../src/core/training/benchmark.ts'
import { sliceCost, stepCost, stepMacs } from '../../../src/core/training/cost.ts'
import { lr20At } from '../../../src/core/training/schedule.ts'
import { mlp, opOf } from '../../../src/core/training/shape.ts'
import { specErrors } from '../../../src/core/training/specRules.ts'
import { utf8Bytes } from '../../../src/core/training/utf8.ts'

const data = { source: 1, root: hash('mnist'), trainRecords: 60_000, testRecords: 10_000, features: 784, classes: 10 }
const good: JobSpec = { ...benchmarkSpec, data }
const withData = (change: Partial<JobSpec['data']>): Partial<JobSpec> => ({ data: { ...data, ...change } })
const name = (text: string): Partial<JobSpec> => ({ name: utf8Bytes(text) })
const wide = (features: number): Partial<JobSpec> => ({ ...mlp([features, 64, 10]), ...withData({ features }) })

describe('spec rules', () => {
  it('takes the benchmark and its like', () => {
    expect(specErrors(benchmarkSpec)).toEqual([])
    expect(specErrors(good)).toEqual([])
  })

  // The engine's own tables would refuse them once Unicode gives them a meaning, and nodes would part.
  it('takes code points that have no meaning yet, next to those that format', () => {
    for (const c of [0x2065, 0x13440, 0x1bca4, 0xe0000, 0xe0002, 0xe001f, 0xe0080]) {
      expect(specErrors({ ...good, ...name(`a${String.fromCodePoint(c)}`) })).toEqual([])
    }
  })

  it.each<[string, Partial<JobSpec>, string, string]>([
    ['an empty name', { name: new Uint8Array(0) }, 'name', 'must be 1 to 64 bytes of UTF-8, has 0'],
    ['a name that is not UTF-8', { name: Uint8Array.of(0xc0, 0x80) }, 'name', 'is not UTF-8'],
    ['a line break in a name', name('a\nb'), 'name', 'must not contain control or formatting characters'],
    ['a right-to-left override in a name', name('a\u202eb'), 'name', 'must not contain control or formatting characters'],
    ['the last formatting character there is', name('a\u{e007f}b'), 'name', 'must not contain control or formatting characters'],
    ['another operation', { ops: [opOf({ kind: 9 }), opOf({ a: 1, units: 10 })] }, 'ops[0].kind', 'unknown operation 9'],
    ['wider operands', { operandBits: 16 }, 'operandBits', 'must be 8, is 16'],
    ['another optimiser', { optimiser: 1 }, 'optimiser', 'unknown optimiser 1'],
    ['no learning rate', { lr20: 0 }, 'lr20', 'must be 1 to 65535, is 0'],
    ['a huge learning rate', { lr20: 65_536 }, 'lr20', 'must be 1 to 65535, is 65536'],
    ['another schedule', { schedule: 2 }, 'schedule', 'unknown schedule 2'],
    ['a small batch', { batch: 15 }, 'batch', 'must be 16 to 256, is 15'],
    ['a large batch', { batch: 257 }, 'batch', 'must be 16 to 256, is 257'],
    ['no steps', { stepsPerSlice: 0 }, 'stepsPerSlice', 'must be 1 to 512, is 0'],
    ['many steps', { stepsPerSlice: 513 }, 'stepsPerSlice', 'must be 1 to 512, is 513'],
    ['no noise', { inputNoise: 0 }, 'inputNoise', 'must be one of 4, 8, 16, 32, is 0'],
    ['too little noise', { inputNoise: 2 }, 'inputNoise', 'must be one of 4, 8, 16, 32, is 2'],
    ['noise that is no power of two', { inputNoise: 24 }, 'inputNoise', 'must be one of 4, 8, 16, 32, is 24'],
    ['no rounds', { rounds: 0 }, 'rounds', 'must be 1 to 100000, is 0'],
    ['many rounds', { rounds: 100_001 }, 'rounds', 'must be 1 to 100000, is 100001'],
    ['less than a batch of records', withData({ trainRecords: 31 }), 'data.trainRecords', 'must be at least a batch (32), is 31'],
    ['nothing held out', withData({ testRecords: 0 }), 'data.testRecords', 'at least one record must be held out'],
    ['many bytes', withData({ trainRecords: 90_000 }), 'data', '78,400,000 bytes of features, at most 67,108,864'],
    ['another source', withData({ source: 2 }), 'data.source', 'unknown source 2'],
    ['data that is not the built-in set', withData({ source: 0 }), 'data', 'does not describe the built-in set'],
    ['an input that does not fit', { ...mlp([783, 64, 10]) }, 'channels', 'the input has 783 values, a record has 784 features'],
    ['an output that does not fit', { ...mlp([784, 64, 11]) }, 'ops[1].units', 'the last operation has 11 outputs, the data has 10 classes'],
    ['no layers', { ...mlp([784]) }, 'ops', 'must be 1 to 32 operations, has 0'],
    ['an empty layer', { ...mlp([784, 0, 10]) }, 'ops[0].units', 'must be 1 to 4096, is 0'],
    ['a wide layer', { ...mlp([784, 4097, 10]) }, 'ops[0].units', 'must be 1 to 4096, is 4097'],
    ['many features', wide(4097), 'data.features', 'must be 1 to 4096, is 4097']
  ])('refuses %s', (_, change, field, message) => {
    expect(specErrors({ ...good, ...change })).toContainEqual({ field, message })
  })

  it('refuses many records', () => {
    const spec = { ...good, ...mlp([10, 512, 10]), ...withData({ trainRecords: 200_000, testRecords: 1, features: 10 }) }
    expect(specErrors(spec)).toEqual([{ field: 'data', message: '200,001 records, at most 200,000' }])
  })

  it('refuses many classes and one class', () => {
    expect(specErrors({ ...good, ...mlp([784, 64, 257]), ...withData({ classes: 257 }) })).toEqual([{ field: 'data.classes', message: 'must be 2 to 256, is 257' }])
    expect(specErrors({ ...good, ...mlp([784, 64, 1]), ...withData({ classes: 1 }) })).toEqual([{ field: 'data.classes', message: 'must be 2 to 256, is 1' }])
  })

  it('refuses too many parameters and too dear a slice', () => {
    const big = { ...good, ...mlp([784, 1300, 10]), stepsPerSlice: 10 }
    expect(specErrors(big)).toEqual([{ field: 'ops', message: '1,033,510 parameters, at most 1,000,000' }])
    const dear = { ...good, stepsPerSlice: 512, ...mlp([784, 256, 10]) }
    expect(sliceCost(dear)).toBeGreaterThan(MAX_SLICE_COST)
    const most = Math.floor(MAX_SLICE_COST / (sliceCost(dear) / 512))
    expect(specErrors(dear)).toEqual([{ field: 'stepsPerSlice', message: `a slice of 512 steps costs ${sliceCost(dear).toLocaleString('en')} multiply-adds, and the network takes no more than 8,000,000,000: use ${most} steps per slice or fewer, or a smaller batch or a smaller model` }])
    expect(specErrors({ ...dear, stepsPerSlice: most })).toEqual([])
  })

  it('refuses a slice that is nearly free, and says what to change', () => {
    const cheap = { ...good, stepsPerSlice: 1 }
    expect(specErrors(cheap)).toEqual([{ field: 'stepsPerSlice', message: `a slice of 1 step costs ${sliceCost(cheap).toLocaleString('en')} multiply-adds, and the network takes no less than 200,000,000: use ${Math.ceil(MIN_SLICE_COST / sliceCost(cheap))} steps per slice or more, or a larger batch or a larger model` }])
    const least = Math.ceil(MIN_SLICE_COST / sliceCost(cheap))
    expect(specErrors({ ...good, ...mlp([4, 3]), data: { ...good.data, source: 1, features: 4, classes: 3 }, stepsPerSlice: 100 }).map(e => e.message).join()).toMatch(/even 512 steps per slice, the most there may be, are too few; use a larger batch or a larger model$/)
    expect(specErrors({ ...good, stepsPerSlice: least - 1 }).map(e => e.field)).toEqual(['stepsPerSlice'])
    expect(specErrors({ ...good, stepsPerSlice: least })).toEqual([])
    expect(specErrors(cheap, sliceCost(cheap))).toEqual([])
  })

  it('takes a linear model and the deepest one', () => {
    const deep = (hidden: number): JobSpec => ({ ...good, ...mlp([784, ...Array<number>(hidden).fill(32), 10]) })
    expect(specErrors({ ...good, ...mlp([784, 10]), stepsPerSlice: 256 })).toEqual([])
    expect(specErrors(deep(31))).toEqual([])
    expect(specErrors(deep(32))).toEqual([{ field: 'ops', message: 'must be 1 to 32 operations, has 33' }])
  })
})

describe('cost', () => {
  it('counts the MACs of EXACT 4', () => {
    expect(stepMacs({ ...mlp([784, 128, 64, 10]), batch: 1 })).toBe(227_200)
    expect(stepMacs({ ...mlp([784, 128, 64, 10]), batch: 64 })).toBe(64 * 227_200)
  })

  it('charges every parameter of every step', () => {
    expect(sliceCost({ ...mlp([3, 2]), batch: 16, stepsPerSlice: 5 })).toBe(5 * (16 * (12 + COST_PER_INPUT_ELEMENT * 3 + COST_PER_ELEMENT * 2) + COST_PER_PARAMETER * 8))
  })
})

describe('cost of windows', () => {
  const net = (side: number, ...ops: Op[]): Model & { batch: number } => ({ channels: 1, height: side, width: side, ops, batch: 1 })
  const dense = (a: number): Op => opOf({ a, units: 2 })

  it('has no price for products with the zeros around an input', () => {
    // Three of nine taps of a side are padding: what is priced is 4 x 4 windows of 3 x 3, less the rim.
    const padded = net(4, opOf({ kind: OP_CONV, units: 2, kernel: 3, stride: 1, padding: 1, groups: 1 }), dense(1))
    const taps = (2 + 3 + 3 + 2) ** 2
    expect(stepMacs(padded)).toBe(2 * 2 * taps + 3 * 2 * 32)
    expect(stepCost(padded)).toBe(stepMacs(padded) + COST_PER_WINDOW_ELEMENT * taps + COST_PER_INPUT_ELEMENT * 16 + COST_PER_ELEMENT * (32 + 2) + COST_PER_PARAMETER * (20 + 66))
  })

  it('has no price for elements that nobody reads', () => {
    const strided = net(5, opOf({ kind: OP_MAX_POOL, kernel: 2, stride: 2 }), dense(1))
    expect(stepCost(strided)).toBe(COST_PER_POOL_ELEMENT * 16 + COST_PER_INPUT_ELEMENT * 16 + COST_PER_ELEMENT * (4 + 2) + 3 * 8 + COST_PER_PARAMETER * 10)
  })
})

describe('schedule', () => {
  const linear = { lr20: 2000, schedule: 1, rounds: 101 }
  it('falls linearly to a twentieth', () => {
    expect([0, 50, 100].map(r => lr20At(linear, r))).toEqual([2000, 1050, 100])
    for (let r = 1; r <= 100; r++) expect(lr20At(linear, r)).toBeLessThan(lr20At(linear, r - 1))
  })
  it('stays at the end, stays above zero, stays put when constant', () => {
    expect(lr20At(linear, 5000)).toBe(100)
    expect(lr20At({ lr20: 3, schedule: 1, rounds: 10 }, 9)).toBe(1)
    expect(lr20At({ ...linear, schedule: 0 }, 100)).toBe(2000)
    expect(lr20At({ ...linear, rounds: 1 }, 0)).toBe(2000)
  })
  it('rounds down exactly', () => {
    const spec = { lr20: 65_535, schedule: 1, rounds: 100_000 }
    for (const r of [1, 777, 99_998]) {
      const exact = 65_535n * (20n * 99_999n - 19n * BigInt(r)) / (20n * 99_999n)
      expect(lr20At(spec, r)).toBe(Number(exact))
    }
  })
})
