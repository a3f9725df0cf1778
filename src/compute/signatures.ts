/**
 * ports/Signatures on WebCrypto: its "yes" is taken at once, its "no" never is. The engines differ
 * on torsion points and non-canonical encodings, and every signature they accept is also accepted
 * by ZIP-215 (findings, crypto-consensus D.2); so a refusal is decided by the ZIP-215 rule alone.
 */
import { verifyZip215 } from '../core/crypto/keys.ts'
import type { SignatureItem, Signatures } from '../ports/signatures.ts'

type Subtle = Pick<SubtleCrypto, 'importKey' | 'verify'>

async function fastAccept (subtle: Subtle, item: SignatureItem): Promise<boolean> {
  try {
    const key = await subtle.importKey('raw', item.key as BufferSource, 'Ed25519', false, ['verify'])
    return await subtle.verify('Ed25519', key, item.signature as BufferSource, item.message as BufferSource)
  } catch {
    // No Ed25519 in this engine, or a key it will not import: the pinned rule decides below.
    return false
  }
}

/** `subtle` is absent outside a secure context; then every check takes the slow way. */
export function createSignatures (subtle: Subtle | undefined): Signatures {
  return {
    async verify (items) {
      return Promise.all(items.map(async (item) => {
        if (subtle !== undefined && await fastAccept(subtle, item)) return true
        return verifyZip215(item.key, item.message, item.signature)
      }))
    }
  }
}
