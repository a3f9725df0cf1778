/**
 * ZIP-215 (docs/protocol.md, section 2). OpenSSL may say yes early: it checks the equation without the
 * cofactor and a canonical R, so what it accepts ZIP-215 accepts too. Only ZIP-215 itself says no.
 */
import { createPublicKey, type KeyObject, verify as opensslVerify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { type Hex, hexOf } from './bytes.ts'

export type Verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** RFC 8410: the header of an ed25519 SubjectPublicKeyInfo. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

/** Remembers what it checked: a claim can be a header here and a contribution there. */
export function signatureChecker (): Verify {
  const keys = new Map<Hex, KeyObject>()
  const known = new Map<string, boolean>()
  const keyOf = (key: Uint8Array): KeyObject => {
    const name = hexOf(key)
    const object = keys.get(name) ?? createPublicKey({ key: Buffer.concat([SPKI, key]), format: 'der', type: 'spki' })
    keys.set(name, object)
    return object
  }
  return (key, message, signature) => {
    const name = `${hexOf(key)}/${hexOf(message)}/${hexOf(signature)}`
    let valid = known.get(name)
    if (valid === undefined) {
      valid = opensslVerify(null, message, keyOf(key), signature) || ed25519.verify(signature, message, key, { zip215: true })
      known.set(name, valid)
    }
    return valid
  }
}
