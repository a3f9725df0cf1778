/** hash() of core by BLAKE3 in WASM, eight times as fast as in JavaScript, for the tags that are hashed by the thousand. */
import { createBLAKE3 } from 'hash-wasm'
import { hashTagKey, hashWith, type TagHash } from '../core/crypto/hash.ts'

export const FAST_TAGS = [
  'tensor', 'tensor-node', 'payload', 'record', 'merkle-node', 'map-leaf', 'map-branch', 'seeder',
  'claim', 'template', 'ticket', 'rho', 'body', 'ledger', 'transaction', 'seal', 'draw', 'assign', 'split', 'batch', 'noise', 'init'
] as const

/**
 * Short inputs are put together here: an engine asks every array it is given for its buffer, which a
 * short array has none of until then, and makes three views of it.
 */
const scratch = new Uint8Array(4096)

export async function createEngines (): Promise<ReadonlyArray<readonly [string, TagHash]>> {
  return await Promise.all(FAST_TAGS.map(async tag => {
    const engine = await createBLAKE3(256, hashTagKey(tag))
    return [tag, (parts: readonly Uint8Array[]) => {
      engine.init()
      let length = 0
      for (const part of parts) length += part.length
      if (length > scratch.length) for (const part of parts) engine.update(part)
      else {
        let at = 0
        for (const part of parts) {
          scratch.set(part, at)
          at += part.length
        }
        engine.update(scratch.subarray(0, length))
      }
      return engine.digest('binary')
    }] as const
  }))
}

let ready: Promise<void> | undefined

/** For this realm, made once. Nothing that hashes has to wait for it. */
export async function useFastHash (): Promise<void> { await (ready ??= createEngines().then(hashWith)) }
