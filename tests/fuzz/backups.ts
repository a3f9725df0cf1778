/**
 * Key backups whose scrypt is cheap, and checksums made right again: without them no mutated file
 * would get further than its checksum. Written from the format, not with the code under test.
 */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { formatAddress } from '../../src/core/codec/address.ts'
import { fromHex, toHex } from '../../src/core/codec/ssz.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { publicKey } from '../../src/core/crypto/keys.ts'
import { textBytes } from './target.ts'

/** What may be computed in a fuzzer: above it the checksum stays wrong. */
const N_MAX = 16
const P_MAX = 4

const headerOf = (address: unknown, n: unknown, r: unknown, p: unknown, salt: unknown, nonce: unknown): Uint8Array =>
  textBytes(['commonweight-key', 1, address, n, r, p, salt, nonce].join('\n'))

const checksumOf = (header: Uint8Array, sealed: Uint8Array): string => toHex(hash('backup', header, sealed).subarray(0, 8))

export function backups (passphrase: string): string[] {
  const seed = new Uint8Array(32).fill(5)
  return [{ n: 2, r: 1, p: 1 }, { n: 8, r: 8, p: 2 }].map(({ n, r, p }) => {
    const address = formatAddress(publicKey(seed))
    const salt = new Uint8Array(32).fill(n)
    const nonce = new Uint8Array(24).fill(r)
    const header = headerOf(address, n, r, p, toHex(salt), toHex(nonce))
    const key = scrypt(textBytes(passphrase), salt, { N: n, r, p, dkLen: 32 })
    const sealed = xchacha20poly1305(key, nonce, header).encrypt(seed)
    return JSON.stringify({
      format: 'commonweight-key', version: 1, address, scrypt: { n, r, p, salt: toHex(salt) }, xchacha20poly1305: { nonce: toHex(nonce), sealed: toHex(sealed) }, checksum: checksumOf(header, sealed)
    })
  })
}

export function withChecksum (text: string): string {
  try {
    const file = JSON.parse(text)
    const { n, r, p, salt } = file.scrypt
    const { nonce, sealed } = file.xchacha20poly1305
    const bytes = fromHex(sealed, sealed.length >> 1)
    if (bytes === undefined || n > N_MAX || p > P_MAX) return text
    return JSON.stringify({ ...file, checksum: checksumOf(headerOf(file.address, n, r, p, salt, nonce), bytes) })
  } catch { return text }
}
