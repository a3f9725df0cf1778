/** Random values of a naive SSZ schema: few items, and edges more often than chance would give them. */
import type { Schema } from '../support/naiveSsz.ts'
import type { Rng } from './random.ts'

/** Items a random list has at most: two levels of lists stay below some kilobytes. */
const ITEMS_MAX = 3
const BYTES_MAX = 40

function randomInteger (rng: Rng, bytes: number, as: 'number' | 'bigint'): number | bigint {
  const bits = as === 'number' ? Math.min(53, 8 * bytes) : 8 * bytes
  const top = (1n << BigInt(bits)) - 1n
  let n: bigint
  switch (rng.below(4)) {
    case 0: n = BigInt(rng.below(4)); break
    case 1: n = top - BigInt(rng.below(3)); break
    default:
      n = 0n
      for (let i = 0; i < bytes; i++) n = (n << 8n) | BigInt(rng.byte())
      n = (n & top) >> BigInt(rng.below(bits))
  }
  return as === 'number' ? Number(n) : n
}

export function randomValue (schema: Schema, rng: Rng): unknown {
  switch (schema.kind) {
    case 'uint': return randomInteger(rng, schema.bytes, schema.as)
    case 'bytes': return rng.below(8) === 0 ? new Uint8Array(schema.length) : rng.bytes(schema.length)
    case 'byteList': return rng.bytes(rng.below(Math.min(schema.max, BYTES_MAX) + 1))
    case 'list': return Array.from({ length: rng.below(Math.min(schema.max, ITEMS_MAX) + 1) }, () => randomValue(schema.of, rng))
    case 'container': return Object.fromEntries(Object.entries(schema.fields).map(([name, field]) => [name, randomValue(field, rng)]))
    case 'union': {
      const selector = rng.below(schema.options.length)
      const option = schema.options[selector]
      return { selector, value: option === undefined ? null : randomValue(option, rng) }
    }
  }
}
