/** One value, one encoding; and no bytes a stranger sends make a decoder throw. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Type } from '@chainsafe/ssz'
import { decode, equalBytes } from '../../../src/core/codec/ssz.ts'
import { decodeJobSpec, encodeJobSpec, JobSpec } from '../../../src/core/codec/jobSpec.ts'
import * as W from '../../../src/core/codec/wire.ts'
import { decodeLedger, encodeLedger } from '../../../src/core/ledger/state.ts'
import { MAX_CONTRIBUTIONS_PER_SEAL } from '../../../src/core/params.ts'
import { ChainKit, keyPair, tinySpec } from '../chainKit.ts'

const bytes = (n: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: n, maxLength: n })
const list = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max })
const b32 = bytes(32)
const b64 = bytes(64)
const uint = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 })
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })

const template = fc.record({
  version: uint(16), chain: b32, height: uint(32), parent: b32, time, target: fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  bodyRoot: b32, stateRoot: b32, miner: b32, payee: b32, job: b32, round: uint(32), seal: b32, stateHash: b32, randomness: b32
})
const claim = fc.record({ template, slice: uint(32), resultHash: b32, payloadDigest: b32, payloadBytes: uint(32), signature: b64 })
const seal = fc.record({ job: b32, round: uint(32), previous: b32, anchor: b32, contributions: fc.array(claim, { maxLength: 3 }), stateHash: b32 })
const signedSeal = fc.record({ seal, signatures: fc.array(fc.record({ member: uint(16), signature: b64 }), { maxLength: 4 }) })
const action = fc.oneof(
  fc.record({ selector: fc.constant(W.ACTION_TRANSFER), value: fc.record({ to: b32, amount: u64 }) }),
  fc.record({ selector: fc.constant(W.ACTION_POST_JOB), value: fc.record({ spec: list(80), escrow: u64, pricePerContribution: u64, burn: u64, deadline: uint(32) }) }),
  fc.record({ selector: fc.constant(W.ACTION_CANCEL_JOB), value: fc.record({ job: b32 }) }),
  fc.record({ selector: fc.constant(W.ACTION_SET_ASIDE), value: fc.record({ grains: u64 }) }),
  fc.record({ selector: fc.constant(W.ACTION_REDEEM), value: fc.record({ epoch: uint(32), receipts: fc.array(fc.record({ from: b32, infoHash: bytes(20), bytes: time, signature: b64 }), { maxLength: 16 }) }) })
)
const transaction = fc.record({ chain: b32, from: b32, nonce: uint(32), fee: u64, action })
const signedTransaction = fc.record({ transaction, signature: b64 })
const body = fc.record({ transactions: fc.array(signedTransaction, { maxLength: 3 }), seals: fc.array(signedSeal, { maxLength: 2 }) })
const vouch = fc.record({ job: b32, contribution: b32, member: b32, signature: b64 })
const data = fc.record({ source: uint(8), root: b32, trainRecords: uint(32), testRecords: uint(32), features: uint(16), classes: uint(16) })
const op = fc.record({
  kind: uint(8), a: uint(8), b: uint(8), relu: uint(8), units: uint(16), kernel: uint(8), stride: uint(8), padding: uint(8), groups: uint(16)
})
const spec = fc.record({
  name: list(64), channels: uint(16), height: uint(16), width: uint(16), ops: fc.array(op, { maxLength: 32 }), operandBits: uint(8), optimiser: uint(8), lr20: uint(32),
  schedule: uint(8), batch: uint(16), stepsPerSlice: uint(16), inputNoise: uint(8), seed: b32, rounds: uint(32), data
})
const proposal = fc.record({ seal, vouches: fc.array(vouch, { maxLength: 3 }), proposer: b32, signature: b64 })
const vote = fc.record({ job: b32, sealHash: b32, member: b32, signature: b64 })
const workMessage = fc.oneof(
  fc.record({ selector: fc.constant(W.WORK_CLAIM), value: claim }),
  fc.record({ selector: fc.constant(W.WORK_VOUCH), value: vouch }),
  fc.record({ selector: fc.constant(W.WORK_PROPOSAL), value: proposal }),
  fc.record({ selector: fc.constant(W.WORK_VOTE), value: vote }),
  fc.record({ selector: fc.constant(W.WORK_SEAL), value: signedSeal }),
  fc.record({ selector: fc.constant(W.WORK_CHALLENGE), value: fc.record({ job: b32, sealHash: b32, contribution: b32 }) })
)

const TYPES: ReadonlyArray<readonly [string, Type<never>, fc.Arbitrary<unknown>]> = [
  ['Template', W.Template, template],
  ['Claim', W.Claim, claim],
  ['Seal', W.Seal, seal],
  ['SignedSeal', W.SignedSeal, signedSeal],
  ['SignedTransaction', W.SignedTransaction, signedTransaction],
  ['Body', W.Body, body],
  ['Block', W.Block, fc.record({ header: claim, body })],
  ['WorkMessage', W.WorkMessage, workMessage],
  ['JobSpec', JobSpec, spec],
  ['Status', W.Status, fc.record({ chain: b32, version: uint(16), head: b32, height: uint(32), work: fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }), historyFrom: uint(32) })],
  ['HeadersRequest', W.HeadersRequest, fc.record({ locator: fc.array(b32, { maxLength: 64 }), count: uint(16) })],
  ['HeadersResponse', W.HeadersResponse, fc.record({ headers: fc.array(claim, { maxLength: 3 }) })],
  ['SnapshotRequest', W.SnapshotRequest, fc.record({ chain: b32 })],
  ['SnapshotResponse', W.SnapshotResponse, fc.record({ offers: fc.array(fc.record({ height: uint(32), block: b32, infoHash: fc.uint8Array({ minLength: 20, maxLength: 20 }), bytes: uint(32) }), { maxLength: 2 }) })],
  ['TorrentsRequest', W.TorrentsRequest, fc.record({ chain: b32, names: fc.array(b32, { maxLength: 16 }) })],
  ['TorrentsResponse', W.TorrentsResponse, fc.record({ offers: fc.array(fc.record({ name: b32, infoHash: fc.uint8Array({ minLength: 20, maxLength: 20 }), bytes: uint(32) }), { maxLength: 16 }) })],
  ['BodiesRequest', W.BodiesRequest, fc.record({ hashes: fc.array(b32, { maxLength: 8 }) })],
  ['BodiesResponse', W.BodiesResponse, fc.record({ bodies: fc.array(list(60), { maxLength: 8 }) })],
  ['PayloadRequest', W.PayloadRequest, fc.record({ digest: b32 })],
  ['StateRequest', W.StateRequest, fc.record({ job: b32, stateHash: b32, offset: uint(32) })],
  ['StateListRequest', W.StateListRequest, fc.record({ job: b32 })],
  ['StateListResponse', W.StateListResponse, fc.record({ rounds: fc.array(uint(32), { maxLength: 64 }) })],
  ['DataRequest', W.DataRequest, fc.record({ root: b32, first: uint(32), count: uint(32) })],
  ['DataResponse', W.DataResponse, fc.record({ records: list(100), proof: fc.array(b32, { maxLength: 64 }) })]
] as never

const BOUND = 1 << 20

describe.each(TYPES)('%s', (_, type, arbitrary) => {
  const encode = (v: unknown): Uint8Array => (type as Type<unknown>).serialize(v)

  it('decodes to what was encoded', () => {
    fc.assert(fc.property(arbitrary, v => {
      const decoded = decode(type, encode(v), BOUND)
      expect(decoded).toEqual({ ok: true, value: v })
    }), { numRuns: 50 })
  })

  it('never takes changed, cut or longer bytes for the same value, nor any bytes not canonical', () => {
    fc.assert(fc.property(arbitrary, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (v, at, by, cut) => {
      const good = encode(v)
      const flipped = good.map((x, i) => i === at % good.length ? x ^ by : x)
      for (const b of [flipped, good.subarray(0, cut % good.length), Uint8Array.of(...good, by)]) {
        const d = decode(type, b, BOUND)
        if (d.ok) {
          expect(equalBytes(encode(d.value), b)).toBe(true)
          expect(d.value).not.toEqual(v)
        }
      }
    }), { numRuns: 100 })
  })

  it('answers random bytes with a value or a reason', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), b => {
      const d = decode(type, b, BOUND)
      if (d.ok) expect(encode(d.value)).toEqual(b)
      else expect(['empty', 'too-large', 'malformed', 'not-canonical']).toContain(d.error.reason)
    }), { numRuns: 200 })
  })
})

describe('bounds', () => {
  it('refuses more bytes than asked for before it parses them', () => {
    expect(decode(W.Claim, new Uint8Array(1000), 999)).toMatchObject({ ok: false, error: { reason: 'too-large' } })
    expect(decode(W.Claim, new Uint8Array(0), 999)).toMatchObject({ ok: false, error: { reason: 'empty' } })
    expect(decodeJobSpec(new Uint8Array(1025))).toMatchObject({ ok: false, error: { reason: 'too-large' } })
  })

  it('refuses a list longer than its limit', () => {
    const one = fc.sample(seal, 1)[0]
    const c = fc.sample(claim, 1)[0]
    const encode = (n: number): Uint8Array => W.Seal.serialize({ ...one, contributions: new Array(n).fill(c) })
    expect(decode(W.Seal, encode(MAX_CONTRIBUTIONS_PER_SEAL), BOUND).ok).toBe(true)
    expect(decode(W.Seal, encode(MAX_CONTRIBUTIONS_PER_SEAL + 1), BOUND).ok).toBe(false)
  })

  it('refuses a union selector that names nothing', () => {
    for (const selector of [7, 8, 127, 255]) expect(decode(W.WorkMessage, Uint8Array.of(selector, 0), BOUND).ok).toBe(false)
  })

  it('refuses a time that a double cannot hold exactly', () => {
    const good = W.Template.serialize(fc.sample(template, 1)[0])
    const timeAt = 2 + 32 + 4 + 32
    const b = good.slice()
    b.set([1, 0, 0, 0, 0, 0, 0x20, 0], timeAt) // 2^53 + 1
    expect(decode(W.Template, b, BOUND)).toMatchObject({ ok: false, error: { reason: 'not-canonical' } })
  })
})

describe('ledger snapshots', () => {
  const kit = new ChainKit()
  const grown = kit.grown()
  const tip = kit.mine(grown, { transactions: [kit.post(grown, keyPair(1))] }).meta
  const good = encodeLedger(tip.ledger)

  it('come back', () => {
    const d = decodeLedger(good)
    expect(d.ok && encodeLedger(d.value)).toEqual(good)
  })

  it('never throw, and never decode to what encodes otherwise', () => {
    fc.assert(fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const b = good.map((x, i) => i === at ? x ^ by : x)
      const d = decodeLedger(b)
      if (d.ok) expect(encodeLedger(d.value)).toEqual(b)
    }), { numRuns: 300 })
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), b => { decodeLedger(b) }))
  })
})

describe('job specs', () => {
  it('come back', () => {
    expect(decodeJobSpec(encodeJobSpec(tinySpec))).toEqual({ ok: true, value: tinySpec })
  })
})
