/** core/crypto/hash.ts with BLAKE3 in WASM for the tags that hash whole models or whole data sets. */
import { createBLAKE3 } from 'hash-wasm'
import { hash, hashTagKey } from '../core/crypto/hash.ts'
import type { Hasher } from '../core/training/stateHash.ts'

const MODEL_TAGS = ['tensor', 'tensor-node', 'payload']
export const DATA_TAGS = ['record', 'merkle-node']
export const LEDGER_TAGS = ['map-leaf', 'map-branch', 'seeder']

export async function createHasher (tags: readonly string[] = MODEL_TAGS): Promise<Hasher> {
  const engines = new Map(await Promise.all(tags.map(async tag => [tag, await createBLAKE3(256, hashTagKey(tag))] as const)))
  return (tag, ...parts) => {
    const engine = engines.get(tag)
    if (engine === undefined) return hash(tag, ...parts)
    engine.init()
    for (const part of parts) engine.update(part)
    return engine.digest('binary')
  }
}
