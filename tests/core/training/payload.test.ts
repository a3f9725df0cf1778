import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stateFromSeed32 } from '../../../src/core/training/init.ts'
import { MAX_WEIGHT, type ModelState } from '../../../src/core/training/modelState.ts'
import { decodePayload, encodePayload, mergePayloads, payloadDigest, payloadSize, type Payload } from '../../../src/core/training/payload.ts'
import { mlp } from '../../../src/core/training/shape.ts'

const spec = { ...mlp([3, 2, 2]), stepsPerSlice: 128 }
const LR = 1049
/** W0: 6, b0: 2, W1: 4, b1: 2. */
const SIZE = 14 + 4 + 4
const LENGTHS = [6, 2, 4, 2]

function stateOf (values: readonly number[], activation = 4, error = 8): ModelState {
  let at = 0
  const take = (n: number): Int32Array => Int32Array.from(values.slice(at, at += n))
  const [w0, b0, w1, b1] = LENGTHS.map(take)
  return { weights: [w0, w1], biases: [b0, b1], activationExponents: Int32Array.of(activation), errorExponents: Int32Array.of(error) }
}

const flat = (s: ModelState): number[] => s.weights.flatMap((w, l) => [...w, ...s.biases[l]])

function decoded (bytes: Uint8Array, lr20 = LR): Payload {
  const payload = decodePayload(spec, lr20, bytes)
  if (!payload.ok) throw new Error(payload.error.detail)
  return payload.value
}

/** EXACT 9 in bigints: per tensor shift, q. */
function oracle (before: readonly number[], after: readonly number[]): { readonly shift: bigint, readonly q: bigint[] } {
  const d = after.map((a, i) => BigInt(a) - BigInt(before[i]))
  const most = d.reduce((m, x) => x < 0n ? (-x > m ? -x : m) : x > m ? x : m, 0n)
  const bits = most === 0n ? 0 : most.toString(2).length
  const shift = BigInt(Math.max(0, bits - 7))
  const q = d.map(x => {
    const rounded = shift === 0n ? x : (x >> shift) + ((x >> (shift - 1n)) & 1n)
    return rounded > 127n ? 127n : rounded < -127n ? -127n : rounded
  })
  return { shift, q }
}

const weight = fc.oneof(fc.integer({ min: -MAX_WEIGHT, max: MAX_WEIGHT }), fc.constantFrom(MAX_WEIGHT, -MAX_WEIGHT, 0))
const anyValues = fc.array(weight, { minLength: 14, maxLength: 14 })
const step = fc.integer({ min: -4_000_000, max: 4_000_000 })

describe('payload', () => {
  it('has one size per job', () => {
    expect(payloadSize(spec)).toBe(SIZE)
    expect(payloadSize(mlp([784, 128, 64, 10]))).toBe(109_386 + 6 + 8)
    expect(encodePayload(stateOf(Array(14).fill(0)), stateOf(Array(14).fill(0)))).toHaveLength(SIZE)
  })

  it('is what EXACT 9 says, in bigints', () => {
    fc.assert(fc.property(anyValues, anyValues, (a, b) => {
      const bytes = encodePayload(stateOf(a), stateOf(b))
      let at = 0
      let byte = 0
      for (const n of LENGTHS) {
        const { shift, q } = oracle(a.slice(at, at + n), b.slice(at, at + n))
        expect(BigInt(bytes[byte])).toBe(shift)
        expect([...new Int8Array(bytes.buffer, byte + 1, n)].map(BigInt)).toEqual(q)
        at += n
        byte += n + 1
      }
    }), { numRuns: 300 })
  })

  it('decodes what a slice can do and re-encodes to the same change', () => {
    fc.assert(fc.property(anyValues, fc.array(step, { minLength: 14, maxLength: 14 }), fc.integer({ min: -133, max: 203 }), (a, d, e) => {
      const before = stateOf(a)
      const after = stateOf(a.map((v, i) => Math.max(-MAX_WEIGHT, Math.min(MAX_WEIGHT, v + d[i]))), e, 0 - e)
      const payload = decoded(encodePayload(before, after))
      expect([...payload.activationExponents, ...payload.errorExponents]).toEqual([e, 0 - e])
      payload.tensors.forEach(({ shift, values }, t) => {
        const from = [before.weights[0], before.biases[0], before.weights[1], before.biases[1]][t]
        const to = [after.weights[0], after.biases[0], after.weights[1], after.biases[1]][t]
        values.forEach((q, i) => { expect(Math.abs((to[i] - from[i]) - q * 2 ** shift)).toBeLessThanOrEqual(2 ** shift) })
      })
    }), { numRuns: 300 })
  })

  it('covers the longest possible change, 2^31', () => {
    const before = stateOf(Array(14).fill(-MAX_WEIGHT))
    const after = stateOf(Array(14).fill(MAX_WEIGHT))
    const payload = decoded(encodePayload(before, after), 65535)
    expect(payload.tensors.map(t => t.shift)).toEqual([25, 25, 25, 25])
    expect(flat(mergePayloads(before, [payload]))).toEqual(flat(after))
  })

  const good = (): Uint8Array => encodePayload(stateOf(Array(14).fill(0)), stateOf(Array.from({ length: 14 }, (_, i) => (i - 7) * 1000)))
  const changed = (edit: (b: Uint8Array) => void): Uint8Array => {
    const b = good()
    edit(b)
    return b
  }
  it.each([
    ['one byte short', good().subarray(1), 'malformed', '21 bytes, a payload of this job has 22'],
    ['nothing', new Uint8Array(0), 'malformed', '0 bytes, a payload of this job has 22'],
    ['one byte more', new Uint8Array(SIZE + 1), 'too-large', '23 bytes, a payload of this job has 22'],
    ['-128', changed(b => { b[1] = 0x80 }), 'malformed', 'tensor 0 has a change of -128'],
    ['a shift above 25', changed(b => { b[7] = 26 }), 'malformed', 'tensor 1 has shift 26, at most 25'],
    ['a shift that is not the smallest', changed(b => { b[0] = 9; b.fill(63, 1, 7) }), 'not-canonical', 'tensor 0 has shift 9 but no change above 63'],
    ['a shift of zeros', changed(b => { b[0] = 1; b.fill(0, 1, 7) }), 'not-canonical', 'tensor 0 has shift 1 but no change above 0'],
    ['more than the steps can move', changed(b => { b[0] = 24 }), 'malformed', 'tensor 0 moves by 1828716544, at most 274996992 in 128 steps'],
    ['a wild exponent', changed(b => { b[SIZE - 3] = 4; b[SIZE - 4] = 0 }), 'malformed', 'an exponent is 1024, outside +-1023']
  ])('refuses %s', (_, bytes, reason, detail) => {
    expect(decodePayload(spec, LR, bytes)).toEqual({ ok: false, error: { reason, detail } })
  })

  it('lets through exactly what one step can move', () => {
    const one = { ...spec, stepsPerSlice: 1 }
    const most = Math.floor((32767 * 16 + 8) / 16) + 128
    const move = (by: number): Uint8Array => encodePayload(stateOf(Array(14).fill(0)), stateOf(Array(14).fill(by)))
    expect(decodePayload(one, 16, move(most)).ok).toBe(true)
    expect(decodePayload(one, 16, move(-most)).ok).toBe(true)
    expect(decodePayload(one, 16, move(2 * most)).ok).toBe(false)
  })

  it('never throws on bytes of a stranger, and what it takes is canonical', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 0, maxLength: SIZE + 2 }), bytes => {
      const payload = decodePayload(spec, 65535, bytes)
      if (!payload.ok) return
      const before = stateOf(Array(14).fill(0))
      const after: ModelState = { ...mergePayloads(before, [payload.value]) }
      // Within the weight bound the state carries the change whole, so encoding it gives the bytes back.
      if (flat(after).every(v => Math.abs(v) < MAX_WEIGHT)) expect(encodePayload(before, after)).toEqual(bytes)
    }), { numRuns: 2000 })
  })

  it('has a digest of its own tag', () => {
    expect(payloadDigest(good())).toHaveLength(32)
    expect(payloadDigest(good())).not.toEqual(payloadDigest(changed(b => { b[2] ^= 1 })))
  })
})

describe('mean of payloads', () => {
  const payloadOf = (shifts: readonly number[], q: readonly number[], e = 4): Payload => {
    let at = 0
    return {
      tensors: LENGTHS.map((n, t) => ({ shift: shifts[t], values: Int8Array.from(q.slice(at, at += n)) })),
      activationExponents: Int32Array.of(e),
      errorExponents: Int32Array.of(0 - e)
    }
  }
  const anyPayload = fc.record({
    shifts: fc.array(fc.integer({ min: 0, max: 25 }), { minLength: 4, maxLength: 4 }),
    q: fc.array(fc.integer({ min: -127, max: 127 }), { minLength: 14, maxLength: 14 }),
    e: fc.integer({ min: -255, max: 255 })
  })

  it('is the rounded mean, clamped, in bigints', () => {
    fc.assert(fc.property(anyValues, fc.array(anyPayload, { minLength: 1, maxLength: 32 }), (values, list) => {
      const n = BigInt(list.length)
      const tensorOf = LENGTHS.flatMap((length, t) => Array<number>(length).fill(t))
      const floorDiv = (a: bigint, b: bigint): bigint => a >= 0n ? a / b : -((-a + b - 1n) / b)
      const expected = values.map((v, i) => {
        const sum = list.reduce((s, p) => s + (BigInt(p.q[i]) << BigInt(p.shifts[tensorOf[i]])), 0n)
        const moved = BigInt(v) + floorDiv(2n * sum + n, 2n * n)
        const bound = BigInt(MAX_WEIGHT)
        return Number(moved > bound ? bound : moved < -bound ? -bound : moved)
      })
      const merged = mergePayloads(stateOf(values), list.map(p => payloadOf(p.shifts, p.q, p.e)))
      expect(flat(merged)).toEqual(expected)
      expect([...merged.activationExponents]).toEqual([Math.min(...list.map(p => p.e))])
      expect([...merged.errorExponents]).toEqual([Math.min(...list.map(p => 0 - p.e))])
    }), { numRuns: 200 })
  })

  it('does not depend on the order', () => {
    fc.assert(fc.property(anyValues, fc.array(anyPayload, { minLength: 2, maxLength: 6 }), (values, list) => {
      const payloads = list.map(p => payloadOf(p.shifts, p.q, p.e))
      expect(mergePayloads(stateOf(values), payloads)).toEqual(mergePayloads(stateOf(values), [...payloads].reverse()))
    }), { numRuns: 50 })
  })

  it('leaves its inputs alone and needs at least one payload', () => {
    const before = stateOf(Array(14).fill(5))
    mergePayloads(before, [payloadOf([1, 1, 1, 1], Array(14).fill(9))])
    expect(flat(before)).toEqual(Array(14).fill(5))
    expect(() => mergePayloads(before, [])).toThrow('no payloads')
  })

  it('merges 32 payloads of a real model in well under a second', () => {
    const model = mlp([784, 128, 64, 10])
    const before = stateFromSeed32(model, 1)
    const after = stateFromSeed32(model, 2)
    const payload = decodePayload({ ...model, stepsPerSlice: 128 }, 1049, encodePayload(before, after))
    if (!payload.ok) throw new Error(payload.error.detail)
    const start = performance.now()
    mergePayloads(before, Array<Payload>(32).fill(payload.value))
    expect(performance.now() - start).toBeLessThan(800)
  })
})
