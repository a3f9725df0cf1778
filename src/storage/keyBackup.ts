/**
 * The wallet's seed as a text file that only its passphrase opens. The file is JSON that a person can
 * look at: the address stands in it in clear, so that one knows what a file is of without opening it.
 * Key: scrypt (RFC 7914). Seal: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03); everything that is
 * in clear is authenticated with it.
 *
 * A checksum over the whole tells a damaged file from a wrong passphrase. It is no secret: who alters
 * a file on purpose can correct it, and is then refused by the seal.
 */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { formatAddress } from '../core/codec/address.ts'
import { fromHex, toHex } from '../core/codec/ssz.ts'
import { hash } from '../core/crypto/hash.ts'
import { publicKey, SEED_BYTES } from '../core/crypto/keys.ts'
import type { Random } from '../ports/clock.ts'

export const MIN_PASSPHRASE_LENGTH = 8

const FORMAT = 'commonweight-key'
const VERSION = 1
const SALT_BYTES = 32
const NONCE_BYTES = 24
const TAG_BYTES = 16
const CHECKSUM_BYTES = 8

/** About 32 MiB and a few tenths of a second: RFC 7914's interactive choice, doubled. */
const SCRYPT = { n: 2 ** 15, r: 8, p: 1 } as const
/** What a file may ask for: 128 * n * r bytes, so 128 MiB at most. */
const SCRYPT_N_MAX = 2 ** 17
const SCRYPT_R_MAX = 8
const SCRYPT_P_MAX = 4
/** A file is some 600 characters; a longer one is not read. */
const MAX_TEXT_LENGTH = 4096

export type SealResult =
  | { readonly ok: true, readonly text: string }
  | { readonly ok: false, readonly reason: 'passphrase-too-short', readonly message: string }

export type OpenFailure = 'not-a-backup' | 'newer-version' | 'damaged' | 'too-costly' | 'wrong-passphrase'

export type OpenResult =
  | { readonly ok: true, readonly seed: Uint8Array, readonly address: string }
  | { readonly ok: false, readonly reason: OpenFailure, readonly message: string }

interface Fields {
  readonly address: string
  readonly n: number
  readonly r: number
  readonly p: number
  readonly salt: Uint8Array
  readonly nonce: Uint8Array
  readonly sealed: Uint8Array
}

const utf8 = new TextEncoder()

/** What is wrong with a passphrase, for people; undefined if nothing. */
export function passphraseError (passphrase: string): string | undefined {
  const length = [...passphrase.normalize('NFKC')].length
  if (length >= MIN_PASSPHRASE_LENGTH) return undefined
  return `the passphrase has ${length} character${length === 1 ? '' : 's'}, it needs at least ${MIN_PASSPHRASE_LENGTH}`
}

/** Everything that stands in clear, one field per line: none of them can hold a line break. */
function header (f: Omit<Fields, 'sealed'>): Uint8Array {
  return utf8.encode([FORMAT, VERSION, f.address, f.n, f.r, f.p, toHex(f.salt), toHex(f.nonce)].join('\n'))
}

const checksum = (f: Fields): string => toHex(hash('backup', header(f), f.sealed).subarray(0, CHECKSUM_BYTES))

/** NFKC: the same passphrase typed on two keyboards is the same bytes. */
function deriveKey (passphrase: string, f: Pick<Fields, 'n' | 'r' | 'p' | 'salt'>): Promise<Uint8Array> {
  return scryptAsync(utf8.encode(passphrase.normalize('NFKC')), f.salt, { N: f.n, r: f.r, p: f.p, dkLen: 32 })
}

/** The backup text of a seed. */
export async function sealKey (seed: Uint8Array, passphrase: string, random: Random): Promise<SealResult> {
  if (seed.length !== SEED_BYTES) throw new TypeError(`a seed is ${SEED_BYTES} bytes, got ${seed.length}`)
  const message = passphraseError(passphrase)
  if (message !== undefined) return { ok: false, reason: 'passphrase-too-short', message }
  const clear = { address: formatAddress(publicKey(seed)), ...SCRYPT, salt: random.bytes(SALT_BYTES), nonce: random.bytes(NONCE_BYTES) }
  const sealed = xchacha20poly1305(await deriveKey(passphrase, clear), clear.nonce, header(clear)).encrypt(seed)
  const file = {
    format: FORMAT,
    version: VERSION,
    address: clear.address,
    scrypt: { n: clear.n, r: clear.r, p: clear.p, salt: toHex(clear.salt) },
    xchacha20poly1305: { nonce: toHex(clear.nonce), sealed: toHex(sealed) },
    checksum: checksum({ ...clear, sealed })
  }
  return { ok: true, text: JSON.stringify(file, null, 2) + '\n' }
}

const refuse = (reason: OpenFailure, message: string): OpenResult & { ok: false } => ({ ok: false, reason, message })

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const hexOf = (value: unknown, bytes: number): Uint8Array | undefined => typeof value === 'string' ? fromHex(value, bytes) : undefined

const countUpTo = (value: unknown, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max

function parse (text: string): Fields | (OpenResult & { ok: false }) {
  let file: unknown
  try {
    file = text.length <= MAX_TEXT_LENGTH ? JSON.parse(text) : undefined
  } catch {
    // Cut off or mangled, but its first lines still say what it was.
    if (text.includes(`"${FORMAT}"`)) return refuse('damaged', 'the backup is damaged: its end is missing, or some of it was changed; use another copy of it')
  }
  if (!isRecord(file) || file.format !== FORMAT) return refuse('not-a-backup', 'this is not the backup of a Commonweight key')
  if (typeof file.version === 'number' && file.version > VERSION) {
    return refuse('newer-version', `the backup has version ${file.version}, this app reads up to ${VERSION}: update the app`)
  }
  const damaged = (field: string): OpenResult & { ok: false } => refuse('damaged', `the backup is damaged: what stands at "${field}" was changed or is missing; use another copy of it`)
  if (file.version !== VERSION) return damaged('version')
  if (typeof file.address !== 'string' || !/^[0-9a-z]{1,128}$/.test(file.address)) return damaged('address')
  if (!isRecord(file.scrypt)) return damaged('scrypt')
  if (!isRecord(file.xchacha20poly1305)) return damaged('xchacha20poly1305')
  const { n, r, p } = file.scrypt
  if (!countUpTo(n, Number.MAX_SAFE_INTEGER) || !countUpTo(r, Number.MAX_SAFE_INTEGER) || !countUpTo(p, Number.MAX_SAFE_INTEGER)) return damaged('scrypt')
  const salt = hexOf(file.scrypt.salt, SALT_BYTES)
  if (salt === undefined) return damaged('salt')
  const nonce = hexOf(file.xchacha20poly1305.nonce, NONCE_BYTES)
  if (nonce === undefined) return damaged('nonce')
  const sealed = hexOf(file.xchacha20poly1305.sealed, SEED_BYTES + TAG_BYTES)
  if (sealed === undefined) return damaged('sealed')
  const fields = { address: file.address, n, r, p, salt, nonce, sealed }
  if (file.checksum !== checksum(fields)) return refuse('damaged', 'the backup is damaged: some of it was changed since it was made; use another copy of it')
  if (n > SCRYPT_N_MAX || n < 2 || (n & (n - 1)) !== 0 || r > SCRYPT_R_MAX || p > SCRYPT_P_MAX) {
    return refuse('too-costly', `the backup asks for scrypt with n=${n}, r=${r}, p=${p}; at most n=${SCRYPT_N_MAX} (a power of two), r=${SCRYPT_R_MAX}, p=${SCRYPT_P_MAX} are computed here`)
  }
  return fields
}

/** Of whose key a text is a backup, as it stands there in clear: whole, and of a kind that is read here. */
export function inspectBackup (text: string): { readonly ok: true, readonly address: string } | { readonly ok: false, readonly message: string } {
  const fields = parse(text)
  return 'ok' in fields ? { ok: false, message: fields.message } : { ok: true, address: fields.address }
}

/** The seed of a backup text. What comes in is a stranger's file: bounded, parsed strictly. */
export async function openKey (text: string, passphrase: string): Promise<OpenResult> {
  const fields = parse(text)
  if ('ok' in fields) return fields
  const cipher = xchacha20poly1305(await deriveKey(passphrase, fields), fields.nonce, header(fields))
  let seed: Uint8Array
  try {
    seed = cipher.decrypt(fields.sealed)
  } catch {
    // The checksum held, so the file is whole.
    return refuse('wrong-passphrase', `the passphrase does not open the backup of ${fields.address}`)
  }
  if (formatAddress(publicKey(seed)) !== fields.address) return refuse('damaged', 'the backup holds another key than the address it names')
  return { ok: true, seed, address: fields.address }
}
