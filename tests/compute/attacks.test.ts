/**
 * Every shortcut to a ticket that has been tried, and what becomes of it under the rule. Nothing is
 * timed here: a shortcut is shown to give another result, or to have nothing to skip. What the best
 * ones save is measured by `npm run bench -- --only attacks`; docs/security.md has the numbers.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OP_CONV, type Model } from '../../src/core/codec/jobSpec.ts'
import { decode, equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import { Template } from '../../src/core/codec/wire.ts'
import { clamp, roundNearest } from '../../src/compute/reference/integer.ts'
import type { RandomSource } from '../../src/compute/reference/network.ts'
import { keyedRandom } from '../../src/compute/reference/random.ts'
import { drawAt, eligible } from '../../src/core/consensus/draw.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { ticket } from '../../src/core/crypto/ids.ts'
import { benchmarkJob, type JobRecord } from '../../src/core/ledger/state.ts'
import { JOB_DRAW_CAP, MAX_CONTRIBUTION_SLICES } from '../../src/core/params.ts'
import { stepMacs } from '../../src/core/training/cost.ts'
import { graphErrors } from '../../src/core/training/graphRules.ts'
import type { ModelState } from '../../src/core/training/modelState.ts'
import { inputNoise, INPUT_NOISE, noiseBytes, noiseKeyWords } from '../../src/core/training/noise.ts'
import { decodePayload, encodePayload, payloadDigest } from '../../src/core/training/payload.ts'
import { batchKey, noiseKey } from '../../src/core/training/sampling.ts'
import { opOf } from '../../src/core/training/shape.ts'
import { INPUT_NOISES } from '../../src/core/training/specRules.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import type { SliceTask } from '../../src/ports/compute.ts'
import { differs } from '../../src/node/replay.ts'
import { ChainKit, EASY, keyPair } from '../core/chainKit.ts'
import { claimFor, deadTask, hostileTask, learnedState, otherTemplates, outputErrors, outputErrorZeros, run, shareOf, spec, start, task, template } from './attackKit.ts'
import { task as goldenTask } from './tasks.ts'

const hashOf = (state: ModelState): string => toHex(stateHash(state))
const honest = run(task())
const honestHash = hashOf(honest.state)

const count = (values: ArrayLike<number>, is: (x: number) => boolean): number => {
  let n = 0
  for (let i = 0; i < values.length; i++) if (is(values[i])) n++
  return n
}
const nonzero = (values: ArrayLike<number>): number => count(values, x => x !== 0)

/** The rule's noise with some of it changed. */
const bend = (t: SliceTask, change: Partial<RandomSource>): RandomSource => ({ ...keyedRandom(t.noiseKey, t.spec.inputNoise), ...change })
const none = (): number => 0
const plainError = (_c: number, _n: number, _p: number, value: number, shift: number): number => clamp(roundNearest(value, shift), 127)
/** Noise on the inputs and nowhere else. */
const inputNoiseAlone = (t: SliceTask): RandomSource => bend(t, { activationNoise: () => none, error: () => plainError, traced: false })
const noErrorNoise = (t: SliceTask): RandomSource => bend(t, { error: () => plainError })
const noInputNoise = (t: SliceTask): RandomSource => bend(t, { inputNoise: () => none })

describe('attack 1: a state in which there is nothing to compute', () => {
  const zero = goldenTask([784, 128, 64, 10], 64, 1, { state: 'zero' })

  test('all-zero weights come alive in one step', () => {
    const [first] = run(zero).state.weights
    expect(nonzero(first) / first.length).toBeGreaterThan(0.95)
  })

  test('they would stay zero for ever with noise on the inputs alone', () => {
    const [first] = run(zero, inputNoiseAlone(zero)).state.weights
    expect(nonzero(first)).toBe(0)
  })
})

describe('attack 4: skipping the rows of the backward pass that have no error', () => {
  const t = task(template, 0, learnedState())
  const zeros = (random?: RandomSource): ReturnType<typeof outputErrorZeros> => outputErrorZeros(run(t, random).traces, spec.batch, 10)

  test('would save most of it on learned data without the error noise', () => {
    expect(zeros(inputNoiseAlone(t)).rows).toBeGreaterThan(0.7)
  })

  test('finds no such row under the rule, and a third of the elements zero, scattered', () => {
    const { elements, rows } = zeros()
    expect(rows).toBeLessThan(0.01)
    expect(elements).toBeGreaterThan(0.25)
    expect(elements).toBeLessThan(0.4)
  })

  test('skipped all the same, it gives another result', () => {
    const rule = keyedRandom(t.noiseKey, t.spec.inputNoise)
    const still = run(t, noErrorNoise(t)).traces[0].errors
    const idle = Array.from({ length: spec.batch }, (_, n) => nonzero(outputErrors(still, spec.batch, n)) === 0)
    expect(idle.filter(Boolean).length).toBeGreaterThan(0)
    const skipping = bend(t, {
      error (step, op, batch, tensor) {
        const error = rule.error(step, op, batch, tensor)
        return (channel, sample, ...rest) => idle[sample] ? 0 : error(channel, sample, ...rest)
      }
    })
    expect(hashOf(run(t, skipping, 1).state)).not.toBe(hashOf(run(t, undefined, 1).state))
  })
})

describe('caching W.x of records that come again', () => {
  test.each(INPUT_NOISES)('finds nearly every element of the input changed at amplitude %d', amplitude => {
    const bytes = noiseBytes(noiseKeyWords(hash('test-key')), 0, INPUT_NOISE, 1 << 16)
    const values = bytes.map(byte => inputNoise(byte, amplitude) === 0 ? 0 : 1)
    const share = 1 - 1 / (2 * amplitude)
    expect(Math.abs(nonzero(values) / values.length - share)).toBeLessThan(0.01)
    expect(share).toBeGreaterThanOrEqual(0.875)
  })

  test('leaving the noise out, or that of one element of one step, gives another result', () => {
    const t = task()
    expect(hashOf(run(t, noInputNoise(t)).state)).not.toBe(honestHash)
    const rule = keyedRandom(t.noiseKey, t.spec.inputNoise)
    fc.assert(fc.property(fc.nat(t.steps - 1), fc.nat(spec.batch - 1), fc.nat(39), (atStep, atSample, atUnit) => {
      const was = rule.inputNoise(atStep, spec.batch, 40)(atSample, atUnit)
      fc.pre(was !== 0)
      const bent = bend(t, {
        inputNoise (step, batch, features) {
          const noise = rule.inputNoise(step, batch, features)
          return (sample, unit) => step === atStep && sample === atSample && unit === atUnit ? 0 : noise(sample, unit)
        }
      })
      expect(hashOf(run(t, bent).state)).not.toBe(honestHash)
    }), { numRuns: 40, seed: 1 })
  })
})

/** An element of what one of the three operations of `spec` writes, in one step. */
const place = fc.nat(2).chain(op => fc.record({
  op: fc.constant(op), step: fc.nat(spec.stepsPerSlice - 1), sample: fc.nat(spec.batch - 1), channel: fc.nat(spec.ops[op].units - 1)
}))

describe('leaving out a part of a pass', () => {
  const t = task()
  const rule = keyedRandom(t.noiseKey, t.spec.inputNoise)

  test('the error of one element of one step, in any layer, taken without its noise, gives another result', () => {
    fc.assert(fc.property(place, at => {
      let changed = false
      const bent = bend(t, {
        error (step, op, batch, tensor) {
          const error = rule.error(step, op, batch, tensor)
          if (op !== at.op || step !== at.step) return error
          return (channel, sample, ...rest) => {
            const value = error(channel, sample, ...rest)
            if (sample !== at.sample || channel !== at.channel) return value
            const plain = plainError(channel, sample, rest[0], rest[1], rest[2])
            changed = plain !== value
            return plain
          }
        }
      })
      const without = hashOf(run(t, bent).state)
      fc.pre(changed)
      expect(without).not.toBe(honestHash)
    }), { numRuns: 60, seed: 1 })
  })

  test('the low byte of one sum of one step, forward, taken for another, gives another result', () => {
    fc.assert(fc.property(place.filter(({ op }) => op < 2), at => {
      let changed = false
      const bent = bend(t, {
        activationNoise (step, op, batch, tensor) {
          const noise = rule.activationNoise(step, op, batch, tensor)
          if (op !== at.op || step !== at.step) return noise
          return (channel, sample, position, sum) => {
            const value = noise(channel, sample, position, sum)
            if (sample !== at.sample || channel !== at.channel) return value
            const guessed = noise(channel, sample, position, 0)
            changed = guessed !== value
            return guessed
          }
        }
      })
      const without = hashOf(run(t, bent).state)
      fc.pre(changed)
      expect(without).not.toBe(honestHash)
    }), { numRuns: 60, seed: 1 })
  })
})

describe('a job made to be foreseen', () => {
  test('behind a layer that is dead for every record, every weight moves, by amounts nobody knows beforehand', () => {
    const dead = deadTask([30, 1, 40, 30, 10])
    const end = run(dead).state.weights
    const before = run(dead, inputNoiseAlone(dead)).state.weights
    const still = (weights: readonly Int32Array[], l: number): number => shareOf(dead.state.weights[l], weights[l], (from, to) => from === to)
    for (const l of [1, 2, 3]) {
      expect(still(end, l)).toBeLessThan(0.1)
      // Two keys, two ends: what one slice did says nothing of the next.
      const other = run({ ...dead, noiseKey: dead.noiseKey.map(byte => byte ^ 1) }).state.weights
      expect(shareOf(end[l], other[l], (a, b) => a === b)).toBeLessThan(0.1)
    }
    expect(still(before, 2)).toBe(1)
  })

  test('a unit that is dead still tells of its sum: another weight into it gives another result', () => {
    const dead = deadTask([30, 4, 10])
    const first = dead.state.weights[0]
    // All of them so far below zero that ReLU hides the change.
    const changed = { ...dead, state: { ...dead.state, weights: [first.map((w, i) => i === 3 ? w * 2 - 2 ** 20 : w), ...dead.state.weights.slice(1)] } }
    const seen = (t: SliceTask, random?: RandomSource): Int32Array => run(t, random).state.weights[1]
    expect(seen(changed, inputNoiseAlone(changed))).toEqual(seen(dead, inputNoiseAlone(dead)))
    expect(seen(changed)).not.toEqual(seen(dead))
  })

  test('where every gradient has one sign, the end of a weight is not the sum of known steps', () => {
    const alike = hostileTask([64, 2], 256, 1)
    const known = (random?: RandomSource): number =>
      shareOf(alike.state.weights[0], run(alike, random).state.weights[0], (from, to) => Math.abs(to - from) === alike.steps * 256)
    expect(known(inputNoiseAlone(alike))).toBe(1)
    expect(known()).toBeLessThan(0.05)
  })

  test('weights at their bound keep telling of every gradient', () => {
    const t = goldenTask([9, 6, 4], 24, 2, { state: 'saturated', lr20: 65535 })
    const ends = [0, 1, 2].map(bit => run({ ...t, noiseKey: t.noiseKey.map(byte => byte ^ bit) }).state.weights[0])
    expect(shareOf(ends[0], ends[1], (a, b) => a === b)).toBeLessThan(0.05)
    expect(shareOf(ends[1], ends[2], (a, b) => a === b)).toBeLessThan(0.05)
  })
})

describe('attack 2: running less than the slice', () => {
  test('every shorter run has a result of its own, and replay says so', () => {
    const t = task()
    const replayed = claimFor(honest.state)
    const results = new Set<string>([honestHash])
    for (let steps = 0; steps < t.steps; steps++) {
      const early = steps === 0 ? start : run(t, undefined, steps).state
      results.add(hashOf(early))
      expect(differs(claimFor(early), replayed)).toContain('claims the result')
    }
    expect(results.size).toBe(t.steps + 1)
    expect(differs(claimFor(honest.state), replayed)).toBeUndefined()
  })

  test('a slice has one ticket: no step of it has another', () => {
    const claims = [honest.state, run(task(), undefined, 1).state].map(state => claimFor(state))
    expect(claims.filter(claim => differs(claim, claimFor(honest.state)) === undefined)).toHaveLength(1)
  })
})

describe('attacks 3 and 10: using a slice again', () => {
  test.each(otherTemplates())('under a template that differs in %s: other noise, other ticket', (_, other) => {
    expect(toHex(noiseKey(other, 0))).not.toBe(toHex(noiseKey(template, 0)))
    expect(toHex(ticket(claimFor(honest.state, other)))).not.toBe(toHex(ticket(claimFor(honest.state))))
  })

  test('what has been computed for one is wrong for the other', () => {
    for (const [, other] of otherTemplates().filter(([name]) => name === 'bodyRoot' || name === 'payee' || name === 'time')) {
      const there = run(task(other)).state
      expect(differs(claimFor(honest.state, other), claimFor(there, other))).toContain('claims the result')
    }
    const next = run(task(template, 1)).state
    expect(differs(claimFor(honest.state, template, 1), claimFor(next, template, 1))).toContain('claims the result')
  })

  test('no bit of the template is without effect on the 256-bit key', () => {
    const bytes = Template.serialize(template)
    const keys = new Set<string>([toHex(noiseKey(template, 0))])
    let templates = 1
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3] ^= 1 << (bit & 7)
      const other = decode(Template, flipped, bytes.length)
      // Times beyond 2^53 are no times.
      if (!other.ok) continue
      templates++
      keys.add(toHex(noiseKey(other.value, 0)))
    }
    expect(templates).toBeGreaterThan(bytes.length * 8 - 16)
    expect(keys.size).toBe(templates)
  })

  test('half of the key\'s bits differ between slices, and no word of it is the same for all', () => {
    const keys = Array.from({ length: 400 }, (_, slice) => noiseKey(template, slice))
    const first = noiseKeyWords(keys[0])
    let bits = 0
    for (const key of keys.slice(1)) noiseKeyWords(key).forEach((word, i) => { for (let x = word ^ first[i]; x !== 0; x &= x - 1) bits++ })
    expect(Math.abs(bits / (399 * 256) - 0.5)).toBeLessThan(0.01)
  })

  test('the noise streams of two keys have nothing in common, and no tag or step repeats another', () => {
    const blocks = new Set<string>()
    let made = 0
    for (const slice of [0, 1]) {
      const words = noiseKeyWords(noiseKey(template, slice))
      for (let step = 0; step < 8; step++) {
        for (const tag of [0, 0x100, 0x101, 0x200, 0x201]) {
          const bytes = noiseBytes(words, step, tag, 128)
          for (const at of [0, 64]) blocks.add(toHex(bytes.subarray(at, at + 64)))
          made += 2
        }
      }
    }
    expect(blocks.size).toBe(made)
  })
})

describe('attack 8: a digest that can be had without the values', () => {
  test('one unit in any one weight or exponent changes the state hash', () => {
    const tensors = (s: ModelState): Int32Array[] => [...s.weights, ...s.biases, s.activationExponents, s.errorExponents]
    fc.assert(fc.property(fc.nat(tensors(start).length - 1), fc.nat(), fc.constantFrom(-1, 1), (tensor, at, by) => {
      const end = run(task(), undefined, 0).state
      const changed = tensors(end)[tensor]
      changed[at % changed.length] += by
      expect(hashOf(end)).not.toBe(hashOf(start))
    }), { numRuns: 100, seed: 1 })
  })

  test('values that sum to the same do not hash to the same', () => {
    const end = run(task(), undefined, 0).state
    end.weights[0][0]++
    end.weights[0][1]--
    expect(hashOf(end)).not.toBe(hashOf(start))
  })
})

describe('attack 9: a contribution that was not worked for', () => {
  const payload = encodePayload(start, honest.state)
  const right = claimFor(honest.state)

  test('the payload is part of the ticket and of what replay compares', () => {
    const other = payload.slice()
    other[1] ^= 1
    const forged = { ...right, payloadDigest: payloadDigest(other) }
    expect(equalBytes(ticket(forged), ticket(right))).toBe(false)
    expect(differs(forged, right)).toContain('claims the payload')
  })

  test.each([
    ['nothing at all', () => start],
    ['what another key did', () => run(task({ ...template, miner: keyPair(9).key })).state],
    ['the round before', () => run(task({ ...template, round: 2 })).state]
  ])('%s is wrong on replay', (_, make) => {
    expect(differs(claimFor(make()), right)).toContain('claims the result')
  })

  test('a change beyond what the steps can make is no payload, nor is a shift larger than needed', () => {
    const lr20 = task().lr20
    expect(decodePayload(spec, lr20, payload).ok).toBe(true)
    const huge = payload.slice()
    huge[0] = 25
    huge[1] = 127
    expect(decodePayload(spec, lr20, huge)).toMatchObject({ ok: false, error: { reason: 'malformed' } })
    const loose = payload.slice()
    loose[0] += 1
    for (let i = 1; i <= 40 * 24; i++) loose[i] = ((loose[i] << 24) >> 25) & 0xff
    expect(decodePayload(spec, lr20, loose)).toMatchObject({ ok: false, error: { reason: 'not-canonical' } })
  })

  test('only the first S_MAX slices can contribute: nobody chooses the best of many', () => {
    const kit = new ChainKit()
    const tip = kit.grown()
    const claim = kit.contribution(tip, benchmarkJob(tip.ledger), keyPair(1))
    const drawn = Array.from({ length: 200 }, (_, slice) => slice).filter(slice => eligible(EASY, tip, { ...claim, slice }))
    expect(drawn.length).toBeLessThanOrEqual(MAX_CONTRIBUTION_SLICES)
    expect(drawn.every(slice => slice < MAX_CONTRIBUTION_SLICES)).toBe(true)
  })
})

describe('attack 6: choosing what to work on', () => {
  const named: ReadonlyArray<keyof Template> = ['randomness', 'job', 'round', 'miner']

  test.each(otherTemplates())('the minibatches follow the chain\'s randomness, job, round, key and slice: %s', (name, other) => {
    expect(equalBytes(batchKey(other, 0), batchKey(template, 0))).toBe(!named.includes(name))
  })

  test('so varying the template changes the noise and never the records', () => {
    const [a, b] = [task(), task({ ...template, time: template.time + 1 })]
    expect(b.inputs).toEqual(a.inputs)
    expect(b.labels).toEqual(a.labels)
    expect(b.noiseKey).not.toEqual(a.noiseKey)
  })

  test('a key costs nothing, and draws the wanted job with the job\'s share: that is all it gains', () => {
    const kit = new ChainKit()
    const tip = kit.grown()
    const benchmark = benchmarkJob(tip.ledger)
    const paid = (n: number, burn: bigint): JobRecord => ({ ...benchmark, id: hash('test-job', u32le(n)), status: 'active', burn })
    const tries = (burns: readonly bigint[], wanted: number): number => {
      const jobs = burns.map((burn, n) => paid(n, burn))
      const q = { ...tip, ledger: { ...tip.ledger, jobs: [benchmark, ...jobs] } }
      const N = 3000
      return N / count(Array.from({ length: N }, (_, i) => i), i => equalBytes(drawAt(q, hash('miner', u32le(i))), jobs[wanted].id))
    }
    // A single paid job is drawn by 192 of 256 keys; the one of four that burned least by one in ten.
    expect(Math.abs(tries([1n], 0) - 256 / JOB_DRAW_CAP)).toBeLessThan(0.1)
    expect(Math.abs(tries([1n, 3n, 3n, 3n], 0) - 10)).toBeLessThan(1.5)
  })
})

describe('attack 12: windows over nothing', () => {
  const net = (kernel: number, padding: number): Model =>
    ({ channels: 3, height: 1, width: 1, ops: [opOf({ kind: OP_CONV, units: 5, kernel, stride: 1, padding, groups: 1, relu: 1 }), opOf({ a: 1, units: 2 })] })
  const steps = 3

  test('weights that see padding alone are known beforehand: their products have no price, and few may be', () => {
    const whole = goldenTask(net(3, 1), 16, steps)
    const small = goldenTask(net(1, 0), 16, steps)
    const centre = (i: number): boolean => i % 9 === 4
    const [first, second] = whole.state.weights
    const end = run({ ...small, state: { ...whole.state, weights: [first.filter((_, i) => centre(i)), second] } }).state
    // A gradient of zero leaves moments of zero: the trace is -128 a step.
    const foreseen = first.map((w, i) => centre(i) ? end.weights[0][(i - 4) / 9] : w - 128 * steps)
    expect(hashOf({ ...end, weights: [foreseen, end.weights[1]] })).toBe(hashOf(run(whole).state))
    expect(stepMacs(whole.spec)).toBe(stepMacs(small.spec))
    expect(graphErrors(net(3, 1), 16).map(e => e.field)).toEqual(['ops[0].padding'])
  })
})
