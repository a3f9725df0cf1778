/**
 * Ed25519 with one acceptance rule, ZIP-215: points may be non-canonical or of small order, the
 * scalar S must be below L, the equation is cofactored. Every node must answer the same, so no
 * other verifier may be the reason to refuse a signature.
 * Source: https://zips.z.cash/zip-0215
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { SIGNATURE_BYTES, HASH_BYTES } from '../params.ts'

export const SEED_BYTES = 32

export function publicKey (seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed)
}

export function sign (seed: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, seed)
}

/** Wrong lengths are a wrong signature, not an error. */
export function verifyZip215 (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== HASH_BYTES || signature.length !== SIGNATURE_BYTES) return false
  return ed25519.verify(signature, message, key, { zip215: true })
}

/** One signature somebody must check: ed25519 over `message` by `key` under the rule above. */
export interface SignatureItem {
  readonly key: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}
