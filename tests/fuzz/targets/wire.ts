/** Every SSZ type of the wire: what decodes encodes to the same bytes. */
import type { Type } from '@chainsafe/ssz'
import { decodeJobSpec } from '../../../src/core/codec/jobSpec.ts'
import { decode, equalBytes } from '../../../src/core/codec/ssz.ts'
import { MAX_BODY_BYTES, MAX_GOSSIP_BYTES, MAX_SPEC_BYTES } from '../../../src/core/params.ts'
import { serialize } from '../../support/naiveSsz.ts'
import { WIRE_SCHEMAS } from '../../support/wireSchemas.ts'
import { WIRE_TYPES } from '../../support/wireTypes.ts'
import type { Rng } from '../random.ts'
import { ACCEPTED, must, type Target } from '../target.ts'
import { randomValue } from '../values.ts'

/** Longest input: a list of some items is as telling as a full one. */
const INPUT_MAX = 8 * 1024

/** What the decoder of a type is told to take at most; where it differs it is smaller than this. */
const boundOf = (name: string): number => name === 'JobSpec' ? MAX_SPEC_BYTES : name === 'Body' ? MAX_BODY_BYTES : MAX_GOSSIP_BYTES

function target (name: string, type: Type<unknown>): Target {
  const schema = WIRE_SCHEMAS[name]
  const fresh = (rng: Rng): Uint8Array => serialize(schema, randomValue(schema, rng))
  const bound = boundOf(name)
  return {
    name: `wire/${name}`,
    max: INPUT_MAX,
    covers: [`src/core/codec/ssz.ts#decode ${name}`, ...(name === 'JobSpec' ? ['src/core/codec/jobSpec.ts#decodeJobSpec'] : [])],
    seeds: rng => Array.from({ length: 8 }, () => fresh(rng)),
    fresh,
    run: input => {
      const d = name === 'JobSpec' ? decodeJobSpec(input) : decode(type, input, bound)
      if (!d.ok) return d.error.reason
      must(equalBytes(type.serialize(d.value), input), 'what decodes encodes otherwise')
      return ACCEPTED
    }
  }
}

export const wireTargets: readonly Target[] = [...WIRE_TYPES].map(([name, type]) => target(name, type))
