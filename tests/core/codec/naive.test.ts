/**
 * The library's SSZ against the naive codec, type by type: the same bytes, the same roots, and on
 * bytes that somebody has tampered with the same answer, value or refusal.
 */
import { describe, expect, it } from 'vitest'
import { decode, toHex } from '../../../src/core/codec/ssz.ts'
import { Rng, seedOf } from '../../fuzz/random.ts'
import { Mutator } from '../../fuzz/mutate.ts'
import { randomValue } from '../../fuzz/values.ts'
import { deserialize, hashTreeRoot, serialize, SszError } from '../../support/naiveSsz.ts'
import { WIRE_SCHEMAS } from '../../support/wireSchemas.ts'
import { WIRE_TYPES } from '../../support/wireTypes.ts'

const SEED = Math.floor(Math.random() * 2 ** 32)
const BOUND = 1 << 20

it('every wire type has a naive schema', () => {
  expect([...WIRE_TYPES.keys()].sort()).toEqual(Object.keys(WIRE_SCHEMAS).sort())
})

describe.each([...WIRE_TYPES])(`%s (seed ${SEED})`, (name, type) => {
  const schema = WIRE_SCHEMAS[name]

  it('has the naive bytes, value and root', () => {
    const rng = new Rng(seedOf(SEED, name))
    for (let i = 0; i < 10; i++) {
      const value = randomValue(schema, rng)
      const bytes = type.serialize(value)
      expect(serialize(schema, value)).toEqual(bytes)
      expect(deserialize(schema, bytes)).toEqual(value)
      expect(type.deserialize(bytes)).toEqual(value)
      if (i < 2) expect(hashTreeRoot(schema, value)).toEqual(type.hashTreeRoot(value))
    }
  })

  it('is taken and refused as naively', () => {
    const rng = new Rng(seedOf(SEED, `${name} mutated`))
    const pool = Array.from({ length: 12 }, () => type.serialize(randomValue(schema, rng)))
    const mutator = new Mutator(rng, { max: 4096 })
    let taken = 0
    for (let i = 0; i < 150; i++) {
      const bytes = mutator.mutate(rng.pick(pool), pool).slice()
      const got = decode(type, bytes, BOUND)
      let want: unknown
      let refused: string | undefined
      try { want = deserialize(schema, bytes) } catch (e) {
        if (!(e instanceof SszError)) throw e
        refused = e.message
      }
      // What has no byte is refused before it is parsed, even if a list may be empty.
      if (bytes.length === 0) refused = 'nothing'
      if (got.ok !== (refused === undefined)) expect.fail(`${got.ok ? 'taken' : got.error.detail}, naively ${refused ?? 'taken'}: ${toHex(bytes)}`)
      if (got.ok) {
        taken++
        expect(got.value).toEqual(want)
      }
    }
    expect(taken).toBeGreaterThan(0)
  })
})
