/** Every SSZ type of the wire: what decodes encodes to the same bytes. */
import type { Type } from '@chainsafe/ssz'
import * as jobSpec from '../../../src/core/codec/jobSpec.ts'
import { decode, equalBytes } from '../../../src/core/codec/ssz.ts'
import * as wire from '../../../src/core/codec/wire.ts'
import { MAX_BODY_BYTES, MAX_GOSSIP_BYTES, MAX_SPEC_BYTES } from '../../../src/core/params.ts'
import { serialize } from '../../support/naiveSsz.ts'
import { WIRE_SCHEMAS } from '../../support/wireSchemas.ts'
import type { Rng } from '../random.ts'
import { ACCEPTED, must, type Target } from '../target.ts'
import { randomValue } from '../values.ts'

/** Longest input: a list of some items is as telling as a full one. */
const INPUT_MAX = 8 * 1024

const isType = (x: object | number | ((...a: never[]) => unknown)): x is Type<unknown> & object => typeof x === 'object' && 'deserialize' in x

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
      const d = name === 'JobSpec' ? jobSpec.decodeJobSpec(input) : decode(type, input, bound)
      if (!d.ok) return d.error.reason
      must(equalBytes(type.serialize(d.value), input), 'what decodes encodes otherwise')
      return ACCEPTED
    }
  }
}

const TYPES = Object.entries({ ...wire, ...jobSpec }).flatMap(([name, x]) => isType(x) ? [[name, x as Type<unknown>] as const] : [])

export const wireTargets: readonly Target[] = TYPES.map(([name, type]) => target(name, type))
