/** Which records a slice trains on, and the keys that make the slice its miner's own. */
import { chacha8 } from '@noble/ciphers/chacha.js'
import type { Template } from '../codec/wire.ts'
import { hash, u32le } from '../crypto/hash.ts'
import { templateHash } from '../crypto/ids.ts'

/** Keys every random number inside the slice: the template fixes what the block will say. */
export const noiseKey = (template: Template, slice: number): Uint8Array =>
  hash('noise', templateHash(template), u32le(slice))

/** Keys the minibatches: the miner cannot choose its records by varying the template. */
export const batchKey = (template: Pick<Template, 'randomness' | 'job' | 'round' | 'miner'>, slice: number): Uint8Array =>
  hash('batch', template.randomness, template.job, u32le(template.round), template.miner, u32le(slice))

/** Bytes drawn at a time: a small slice needs a few hundred. */
const STREAM_BLOCK = 512

/** u32s of the ChaCha8 keystream (RFC 8439 layout, nonce 0, counter from 0), little-endian. */
function keystream (key: Uint8Array): () => number {
  const zeros = new Uint8Array(STREAM_BLOCK)
  const nonce = new Uint8Array(12)
  let counter = 0
  let view = new DataView(zeros.buffer)
  let offset = STREAM_BLOCK
  return () => {
    if (offset === STREAM_BLOCK) {
      const block = chacha8(key, nonce, zeros, undefined, counter)
      view = new DataView(block.buffer, block.byteOffset, block.byteLength)
      counter += STREAM_BLOCK / 64
      offset = 0
    }
    const word = view.getUint32(offset, true)
    offset += 4
    return word
  }
}

/**
 * `count` indices below `total`: a keyed Fisher-Yates shuffle, uniform by rejection; after all
 * records have been drawn, the next permutation of the same stream follows.
 */
export function batchIndices (key: Uint8Array, total: number, count: number): Uint32Array {
  const next = keystream(key)
  const below = (range: number): number => {
    const limit = 0x1_0000_0000 - 0x1_0000_0000 % range
    let x = next()
    while (x >= limit) x = next()
    return x % range
  }
  const order = Uint32Array.from({ length: total }, (_, i) => i)
  const drawn = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const at = i % total
    const pick = at + below(total - at)
    const index = order[pick]
    order[pick] = order[at]
    order[at] = index
    drawn[i] = index
  }
  return drawn
}
