/** Every SSZ type that src/core/codec exports, by its name there. */
import type { Type } from '@chainsafe/ssz'
import * as jobSpec from '../../src/core/codec/jobSpec.ts'
import * as library from '../../src/core/codec/library.ts'
import * as wire from '../../src/core/codec/wire.ts'

const isType = (x: object | number | ((...a: never[]) => unknown)): boolean => typeof x === 'object' && 'deserialize' in x

export const WIRE_TYPES: ReadonlyMap<string, Type<unknown>> = new Map(
  Object.entries({ ...wire, ...jobSpec, ...library }).flatMap(([name, x]) => isType(x) ? [[name, x as Type<unknown>] as const] : [])
)
