/**
 * hash() of core by BLAKE3 in WASM, eight times as fast as in JavaScript. One instance for all tags: a browser
 * reserves gigabytes of addresses for the memory of each, and a tab with many workers would run out of them.
 */
import { createBLAKE3 } from 'hash-wasm'
import { hashWith, type KeyedHash } from '../core/crypto/hash.ts'

/**
 * Short inputs are put together here: an engine asks every array it is given for its buffer, which a
 * short array has none of until then, and makes three views of it.
 */
const scratch = new Uint8Array(4096)

export async function createKeyedHash (): Promise<KeyedHash> {
  // The engine reads its key from this array whenever it begins.
  const current = new Uint8Array(32)
  const engine = await createBLAKE3(256, current)
  return (key, parts) => {
    current.set(key)
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
  }
}

let ready: Promise<void> | undefined

/** For this realm, made once. Nothing that hashes has to wait for it, and where it can't be had all goes on without. */
export async function useFastHash (): Promise<void> { await (ready ??= createKeyedHash().then(hashWith, () => {})) }
