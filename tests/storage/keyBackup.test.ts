import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { describe, expect, test } from 'vitest'
import { formatAddress } from '../../src/core/codec/address.ts'
import { fromHex, toHex } from '../../src/core/codec/ssz.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { publicKey } from '../../src/core/crypto/keys.ts'
import { inspectBackup, openKey, passphraseError, sealKey, type OpenResult } from '../../src/storage/keyBackup.ts'

/** Reproducible bytes, different at every call. */
function counting (): { bytes: (n: number) => Uint8Array } {
  let next = 0
  return { bytes: n => Uint8Array.from({ length: n }, () => next++ & 255) }
}

const SEED = Uint8Array.from({ length: 32 }, (_, i) => 200 - i)
const PASSPHRASE = 'correct horse'

async function seal (seed: Uint8Array, passphrase: string): Promise<string> {
  const sealed = await sealKey(seed, passphrase, counting())
  if (!sealed.ok) throw new Error(sealed.message)
  return sealed.text
}

/** One backup for all tests: scrypt is slow on purpose. */
const TEXT = await seal(SEED, PASSPHRASE)

const reasonOf = (result: OpenResult): string => result.ok ? 'opened' : result.reason

/** The backup with one field replaced, its checksum left as it was. */
function edit (text: string, change: (file: any) => void): string {
  const file = JSON.parse(text)
  change(file)
  return JSON.stringify(file)
}

describe('a backup', () => {
  test('says whose it is without its passphrase, and what is none, or damaged, is refused', () => {
    expect(inspectBackup(TEXT)).toEqual({ ok: true, address: formatAddress(publicKey(SEED)) })
    expect(inspectBackup('rubbish')).toMatchObject({ ok: false, message: 'this is not the backup of a Commonweight key' })
    expect(inspectBackup(TEXT.slice(0, -40))).toMatchObject({ ok: false })
    expect(inspectBackup(edit(TEXT, file => { file.address = `${file.address}q` }))).toMatchObject({ ok: false })
  })

  test('gives back the seed, and names its address in clear', async () => {
    const opened = await openKey(TEXT, PASSPHRASE)
    expect(opened).toEqual({ ok: true, seed: SEED, address: formatAddress(publicKey(SEED)) })
    expect(JSON.parse(TEXT).address).toBe(formatAddress(publicKey(SEED)))
    expect(TEXT).not.toContain(toHex(SEED))
  })

  test('can be re-wrapped by a mailer: spaces and line breaks between fields do not matter', async () => {
    expect(reasonOf(await openKey(`\r\n ${JSON.stringify(JSON.parse(TEXT), null, 8).replaceAll('\n', '\r\n')} \n`, PASSPHRASE))).toBe('opened')
  })

  test('two backups of one seed share neither salt nor nonce nor sealed bytes', async () => {
    const random = counting()
    const files = await Promise.all([1, 2].map(async () => {
      const sealed = await sealKey(SEED, PASSPHRASE, random)
      return sealed.ok ? JSON.parse(sealed.text) : undefined
    }))
    expect(files[0].scrypt.salt).not.toBe(files[1].scrypt.salt)
    expect(files[0].xchacha20poly1305.nonce).not.toBe(files[1].xchacha20poly1305.nonce)
    expect(files[0].xchacha20poly1305.sealed).not.toBe(files[1].xchacha20poly1305.sealed)
  })

  test('the same passphrase typed with composed and decomposed letters opens it', async () => {
    const text = await seal(SEED, 'm\u00fcnchen-2024')
    expect(reasonOf(await openKey(text, 'mu\u0308nchen-2024'))).toBe('opened')
  })
})

describe('the passphrase', () => {
  test.each([['', '0 characters'], ['x', '1 character,'], ['1234567', '7 characters'], ['\u{1F600}\u{1F600}\u{1F600}\u{1F600}', '4 characters']])('%j is too short', async (passphrase, words) => {
    const sealed = await sealKey(SEED, passphrase, counting())
    expect(sealed).toMatchObject({ ok: false, reason: 'passphrase-too-short' })
    expect(passphraseError(passphrase)).toContain(words)
    expect(passphraseError(passphrase)).toContain('at least 8')
  })

  test('eight characters are enough', () => { expect(passphraseError('12345678')).toBeUndefined() })

  test.each(['correct hors', 'correct horse ', 'Correct horse', ''])('%j does not open what another sealed', async passphrase => {
    const result = await openKey(TEXT, passphrase)
    expect(reasonOf(result)).toBe('wrong-passphrase')
    if (!result.ok) expect(result.message).toContain(formatAddress(publicKey(SEED)))
  })
})

describe('what is not a whole backup is told apart from a wrong passphrase', () => {
  test.each([
    ['nothing', ''], ['a text', 'hello'], ['another JSON', '{"format":"other"}'], ['a list', '[]'], ['null', 'null'], ['a number', '7'],
    ['something huge', `{"format":"commonweight-key","pad":"${'x'.repeat(5000)}"}`]
  ])('%s is not a backup', async (_name, text) => {
    expect(reasonOf(await openKey(text, PASSPHRASE))).toBe('not-a-backup')
  })

  test('a file that was cut off is damaged, wherever the cut is after its first line', async () => {
    const text = TEXT.trimEnd()
    for (let length = 40; length < text.length; length += 37) {
      expect(reasonOf(await openKey(text.slice(0, length), PASSPHRASE))).toBe('damaged')
    }
  })

  test('any one changed character of a value is damaged', async () => {
    const file = JSON.parse(TEXT)
    const values: string[] = [file.address, file.scrypt.salt, file.xchacha20poly1305.nonce, file.xchacha20poly1305.sealed, file.checksum]
    for (const value of values) {
      for (let i = 0; i < value.length; i++) {
        const changed = value.slice(0, i) + (value[i] === '0' ? '2' : '0') + value.slice(i + 1)
        expect(reasonOf(await openKey(TEXT.replace(value, changed), PASSPHRASE)), `${value} at ${i}`).toBe('damaged')
      }
    }
  })

  test.each<[string, (file: any) => void]>([
    ['no checksum', file => { delete file.checksum }],
    ['version 0', file => { file.version = 0 }],
    ['a text as version', file => { file.version = '1' }],
    ['no address', file => { delete file.address }],
    ['an address with a line break', file => { file.address += '\n' }],
    ['no scrypt', file => { delete file.scrypt }],
    ['a list as scrypt', file => { file.scrypt = [] }],
    ['a fraction as n', file => { file.scrypt.n = 1.5 }],
    ['a negative p', file => { file.scrypt.p = -1 }],
    ['a short salt', file => { file.scrypt.salt = file.scrypt.salt.slice(2) }],
    ['capital hex', file => { file.scrypt.salt = file.scrypt.salt.toUpperCase() }],
    ['no cipher', file => { file.xchacha20poly1305 = null }],
    ['a long nonce', file => { file.xchacha20poly1305.nonce += '00' }],
    ['sealed bytes that are missing', file => { file.xchacha20poly1305.sealed = '' }],
    ['another n', file => { file.scrypt.n = 16384 }]
  ])('%s: damaged', async (_name, change) => {
    expect(reasonOf(await openKey(edit(TEXT, change), PASSPHRASE))).toBe('damaged')
  })

  test('a later version says so', async () => {
    const result = await openKey(edit(TEXT, file => { file.version = 2 }), PASSPHRASE)
    expect(reasonOf(result)).toBe('newer-version')
  })
})

describe('a file made to do harm', () => {
  const headerOf = (file: any): Uint8Array => new TextEncoder().encode(
    ['commonweight-key', 1, file.address, file.scrypt.n, file.scrypt.r, file.scrypt.p, file.scrypt.salt, file.xchacha20poly1305.nonce].join('\n'))

  /** A file whose checksum fits what it says, as an attacker makes it. */
  const forge = (change: (file: any) => void): string => edit(TEXT, file => {
    change(file)
    file.checksum = toHex(hash('backup', headerOf(file), fromHex(file.xchacha20poly1305.sealed, 48)!).subarray(0, 8))
  })

  test('the forger of these tests computes the checksum as the app does', async () => {
    expect(reasonOf(await openKey(forge(() => {}), PASSPHRASE))).toBe('opened')
  })

  test.each<[string, (file: any) => void]>([
    ['memory', file => { file.scrypt.n = 2 ** 24 }],
    ['a block size', file => { file.scrypt.r = 1024 }],
    ['time', file => { file.scrypt.p = 1_000_000 }],
    ['an n that is no power of two', file => { file.scrypt.n = 1000 }],
    ['n = 1', file => { file.scrypt.n = 1 }]
  ])('asking for too much %s is refused before it is computed', async (_name, change) => {
    const started = performance.now()
    expect(reasonOf(await openKey(forge(change), PASSPHRASE))).toBe('too-costly')
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  test('another address on a foreign seal does not open', async () => {
    const other = formatAddress(publicKey(new Uint8Array(32).fill(1)))
    expect(reasonOf(await openKey(forge(file => { file.address = other }), PASSPHRASE))).toBe('wrong-passphrase')
  })

  test('a seed under an address that is not its own, sealed by who knows the passphrase, is refused', async () => {
    const key = scrypt(PASSPHRASE, fromHex(JSON.parse(TEXT).scrypt.salt, 32)!, { N: 2, r: 1, p: 1, dkLen: 32 })
    const text = forge(file => {
      Object.assign(file.scrypt, { n: 2, r: 1, p: 1 })
      file.xchacha20poly1305.sealed = toHex(xchacha20poly1305(key, fromHex(file.xchacha20poly1305.nonce, 24)!, headerOf(file)).encrypt(new Uint8Array(32)))
    })
    expect(reasonOf(await openKey(text, PASSPHRASE))).toBe('damaged')
  })
})
