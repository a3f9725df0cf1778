/** The auditor's own copies of what specs, slices and payloads are, against the code's, on specs and states of all kinds. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { encodeJobSpec, type JobSpec } from '../../../src/core/codec/jobSpec.ts'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { benchmarkSpec } from '../../../src/core/training/benchmark.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import { initialState } from '../../../src/core/training/init.ts'
import type { ModelState } from '../../../src/core/training/modelState.ts'
import { decodePayload, encodePayload, mergePayloads, payloadSize } from '../../../src/core/training/payload.ts'
import { batchIndices } from '../../../src/core/training/sampling.ts'
import { lr20At } from '../../../src/core/training/schedule.ts'
import { shapeOf } from '../../../src/core/training/shape.ts'
import { specErrors } from '../../../src/core/training/specRules.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import { modelCases } from '../../compute/models.ts'
import { costOf, parametersOf, payloadBytesOf } from './model.ts'
import { batchRecords } from './replay.ts'
import { specProblem } from './specRules.ts'
import * as own from './states.ts'
import { readSpec, type Spec } from './wire.ts'

// A second or two on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

const LEAST = 1000

/** A spec of a random model, legal but for what its size costs. */
const legal: fc.Arbitrary<JobSpec> = fc.record({ of: modelCases, steps: fc.integer({ min: 1, max: 8 }), lr20: fc.integer({ min: 1, max: 65_535 }), rounds: fc.integer({ min: 1, max: 50 }), schedule: fc.nat(1), seed: fc.nat() }).map(({ of: { model, batch }, steps, lr20, rounds, schedule, seed }) => {
  const { tensors } = shapeOf(model)
  return {
    ...benchmarkSpec,
    ...model,
    batch: Math.max(16, batch),
    stepsPerSlice: steps,
    lr20,
    rounds,
    schedule,
    seed: hash('test-seed', u32le(seed)),
    data: { source: 1, root: hash('test-root'), trainRecords: 1000, testRecords: 10, features: tensors[0].size, classes: tensors[tensors.length - 1].size }
  }
})

const read = (spec: JobSpec): Spec => {
  const one = readSpec(encodeJobSpec(spec))
  if ('wrong' in one) throw new Error(one.wrong)
  return one.value
}

const OP_FIELDS = ['kind', 'a', 'b', 'relu', 'units', 'kernel', 'stride', 'padding', 'groups'] as const
const SPEC_FIELDS = ['channels', 'height', 'width', 'operandBits', 'optimiser', 'lr20', 'schedule', 'batch', 'stepsPerSlice', 'inputNoise', 'rounds'] as const
const DATA_FIELDS = ['source', 'trainRecords', 'testRecords', 'features', 'classes'] as const
const edge = fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 32, 63, 64, 65, 128, 255)
const large = fc.constantFrom(0, 1, 2, 15, 16, 256, 257, 511, 512, 513, 4096, 4097, 65_535)
const huge = fc.constantFrom(0, 1, 15, 16, 17, 65_535, 65_536, 100_000, 100_001, 199_000, 200_000, 0xffffffff)

type Mutation = (spec: JobSpec) => JobSpec
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ at: fc.nat(31), field: fc.constantFrom(...OP_FIELDS), value: edge }).map(({ at, field, value }): Mutation => s => ({ ...s, ops: s.ops.map((op, i) => i === at % s.ops.length ? { ...op, [field]: value } : op) })) },
  { weight: 2, arbitrary: fc.record({ at: fc.nat(31), field: fc.constantFrom('units' as const, 'groups' as const), value: large }).map(({ at, field, value }): Mutation => s => ({ ...s, ops: s.ops.map((op, i) => i === at % s.ops.length ? { ...op, [field]: value } : op) })) },
  { weight: 2, arbitrary: fc.record({ field: fc.constantFrom(...SPEC_FIELDS), value: edge }).map(({ field, value }): Mutation => s => ({ ...s, [field]: value })) },
  { weight: 1, arbitrary: fc.record({ field: fc.constantFrom('batch' as const, 'stepsPerSlice' as const, 'height' as const, 'width' as const), value: large }).map(({ field, value }): Mutation => s => ({ ...s, [field]: value })) },
  { weight: 1, arbitrary: fc.record({ field: fc.constantFrom('lr20' as const, 'rounds' as const), value: huge }).map(({ field, value }): Mutation => s => ({ ...s, [field]: value })) },
  { weight: 1, arbitrary: fc.record({ field: fc.constantFrom(...DATA_FIELDS), value: edge }).map(({ field, value }): Mutation => s => ({ ...s, data: { ...s.data, [field]: value } })) },
  { weight: 1, arbitrary: fc.record({ field: fc.constantFrom('trainRecords' as const, 'testRecords' as const), value: huge }).map(({ field, value }): Mutation => s => ({ ...s, data: { ...s.data, [field]: value } })) },
  { weight: 1, arbitrary: fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0xef, 0xbb, 0xbf, 0xe2, 0x80, 0x8e)), { maxLength: 6 }).map((b): Mutation => s => ({ ...s, name: Uint8Array.from(b) })) },
  { weight: 1, arbitrary: fc.nat(0x10ffff).filter(c => c < 0xd800 || c > 0xdfff).map((c): Mutation => s => ({ ...s, name: new TextEncoder().encode(String.fromCodePoint(c)) })) },
  { weight: 1, arbitrary: fc.nat(31).map((at): Mutation => s => ({ ...s, ops: s.ops.filter((_, i) => i !== at % s.ops.length) })) }
)

describe('specs', () => {
  it('are taken and refused by both alike', () => {
    const seen = { taken: 0, refused: 0 }
    fc.assert(fc.property(legal, fc.array(mutation, { maxLength: 2 }), (spec, mutations) => {
      const s = mutations.reduce((one, m) => m(one), spec)
      const ours = specErrors(s, LEAST).length === 0
      seen[ours ? 'taken' : 'refused']++
      expect(specProblem(read(s), LEAST) === undefined).toBe(ours)
    }), { numRuns: 1000, seed: 5 })
    expect(seen.taken).toBeGreaterThan(200)
    expect(seen.refused).toBeGreaterThan(200)
  })

  it('that format their names are refused by both', () => {
    for (const c of [0x0, 0x1f, 0x7f, 0x9f, 0xad, 0x600, 0x605, 0x61c, 0x180e, 0x200b, 0x2028, 0x2064, 0x2066, 0xfeff, 0xfffb, 0x1343f, 0xe0001, 0xe007f]) {
      const s = { ...benchmarkSpec, name: new TextEncoder().encode(`a${String.fromCodePoint(c)}`) }
      expect([specErrors(s, LEAST).length === 0, specProblem(read(s), LEAST)]).toEqual([false, 'name'])
    }
  })

  it('cost the same, have payloads of one size and the same first state', () => {
    fc.assert(fc.property(legal, spec => {
      const s = read(spec)
      expect(costOf(s)).toBe(sliceCost(spec))
      expect(parametersOf(s)).toBe(shapeOf(spec).parameters)
      expect(payloadBytesOf(s)).toBe(payloadSize(spec))
      expect(toHex(own.stateHash(own.firstState(s)))).toBe(toHex(stateHash(initialState(spec))))
    }), { numRuns: 60, seed: 6 })
  })
})

describe('slices', () => {
  it('draw the same records', () => {
    fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 700 }), (n, total, count) => {
      const key = hash('test-key', u32le(n))
      expect(batchRecords(key, total, count)).toEqual([...batchIndices(key, total, count)])
    }), { numRuns: 60, seed: 7 })
    // So many records that one word in a few thousand is passed over.
    const key = hash('test-key')
    expect(batchRecords(key, 199_999, 20_000)).toEqual([...batchIndices(key, 199_999, 20_000)])
  })

  it('have the same rate', () => {
    fc.assert(fc.property(legal, fc.nat(60), (spec, round) => { expect(own.lr20At(read(spec), round)).toBe(lr20At(spec, round)) }), { numRuns: 100, seed: 8 })
  })

  it('make the same payloads, which are taken alike and merged alike', () => {
    const word = (n: number, i: number, j: number): number => new DataView(hash('test-word', u32le(n), u32le(i), u32le(j)).buffer).getInt32(0)
    const moved = (s: ModelState, n: number, bits: number): ModelState => {
      const shake = (t: Int32Array, i: number): Int32Array => t.map((x, j) => Math.max(-(2 ** 30), Math.min(2 ** 30, x + (word(n, i, j) >> (31 - bits)))))
      return {
        weights: s.weights.map(shake), biases: s.biases.map((b, i) => shake(b, 1000 + i)),
        activationExponents: s.activationExponents.map((e, i) => e + word(n, 2000, i) % 9), errorExponents: s.errorExponents.map((e, i) => e + word(n, 3000, i) % 9)
      }
    }
    const small = legal.filter(s => shapeOf(s).parameters < 300)
    const taken = { yes: 0, no: 0 }
    fc.assert(fc.property(small, fc.nat(), fc.array(fc.integer({ min: 0, max: 31 }), { minLength: 1, maxLength: 4 }), fc.nat(), (spec, n, moves, bend) => {
      const s = read(spec)
      const before = initialState(spec)
      const payloads = moves.map((bits, i) => encodePayload(before, moved(before, n + i, bits)))
      for (const [i, bits] of moves.entries()) expect(own.encodeChange(before as own.State, moved(before, n + i, bits) as own.State)).toEqual(Buffer.from(payloads[i]))
      const bent = payloads[0].slice()
      bent[bend % bent.length] = bend >> 8 & 255
      for (const p of [...payloads, bent, bent.subarray(1)]) {
        const theirs = decodePayload(spec, lr20At(spec, 0), p).ok
        taken[theirs ? 'yes' : 'no']++
        expect(typeof own.readChange(s, 0, p) !== 'string').toBe(theirs)
      }
      // What no slice could have made merges alike too: under the dearest rate nearly all of it is taken.
      const wide = { ...spec, lr20: 65_535, schedule: 0, stepsPerSlice: 512 }
      const decoded = payloads.flatMap(p => {
        const d = decodePayload(wide, 65_535, p)
        return d.ok ? [d.value] : []
      })
      if (decoded.length === 0) return
      const mine = payloads.map(p => own.readChange(read(wide), 0, p)).filter(c => typeof c !== 'string')
      expect(toHex(own.stateHash(own.merge(before as own.State, mine)))).toBe(toHex(stateHash(mergePayloads(before, decoded))))
    }), { numRuns: 80, seed: 9 })
    expect(Math.min(taken.yes, taken.no)).toBeGreaterThan(40)
  })
})
