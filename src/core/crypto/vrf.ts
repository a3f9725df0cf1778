/**
 * A verifiable random function: whoever holds a key can compute one output for an input, and prove
 * that it is that one; nobody else can tell the output beforehand. The suite is
 * ECVRF-EDWARDS25519-SHA512-TAI, on the keys that sign.
 * Source: RFC 9381; section numbers beside the lines.
 *
 * The output is unique for key and input. The proof is not: whoever holds the key can make others of
 * the same output, so nothing may be drawn from the bytes of a proof.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { HASH_BYTES } from '../params.ts'

const { Point } = ed25519
type Point = InstanceType<typeof Point>

/** Order of the group of the base point, q in the RFC. */
const ORDER = Point.CURVE().n
/** 5.5: suite_string of ECVRF-EDWARDS25519-SHA512-TAI. */
const SUITE = 0x03
const ENCODE_TO_CURVE_FRONT = 0x01
const CHALLENGE_FRONT = 0x02
const PROOF_TO_HASH_FRONT = 0x03
const BACK = 0x00
/** ptLen, cLen and qLen of the suite, bytes. */
const POINT_BYTES = 32
const CHALLENGE_BYTES = 16
const SCALAR_BYTES = 32

export const PROOF_BYTES = POINT_BYTES + CHALLENGE_BYTES + SCALAR_BYTES
export const OUTPUT_BYTES = 64

interface Proof { readonly gamma: Point, readonly c: bigint, readonly s: bigint }

/** 5.5: integers are little-endian, as in RFC 8032. */
function bytesToNumberLE (bytes: Uint8Array): bigint {
  let n = 0n
  for (let i = bytes.length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[i])
  return n
}

function numberToBytesLE (n: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn))
}

function sha512Of (...parts: readonly Uint8Array[]): Uint8Array {
  const h = sha512.create()
  for (const part of parts) h.update(part)
  return h.digest()
}

/** string_to_point: RFC 8032, 5.1.3, which has one encoding per point. */
function pointOf (bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes, false)
  } catch {
    return undefined
  }
}

/** 5.4.1.1, try and increment: the first counter whose hash is a point. `salt` is the public key. */
function encodeToCurve (salt: Uint8Array, alpha: Uint8Array): Point {
  for (let counter = 0; counter <= 0xff; counter++) {
    const digest = sha512Of(Uint8Array.of(SUITE, ENCODE_TO_CURVE_FRONT), salt, alpha, Uint8Array.of(counter, BACK))
    const point = pointOf(digest.subarray(0, POINT_BYTES))?.clearCofactor()
    if (point !== undefined && !point.is0()) return point
  }
  // Each counter fails half of the time: never in 2^256 inputs.
  throw new Error('no counter leads to a point of the curve')
}

/** 5.4.3 */
function challenge (...points: readonly Point[]): bigint {
  const digest = sha512Of(Uint8Array.of(SUITE, CHALLENGE_FRONT), ...points.map(p => p.toBytes()), Uint8Array.of(BACK))
  return bytesToNumberLE(digest.subarray(0, CHALLENGE_BYTES))
}

/** 5.4.4: the exact size, a point in its one encoding, a scalar below the order. */
function decodeProof (bytes: Uint8Array): Proof | undefined {
  if (bytes.length !== PROOF_BYTES) return undefined
  const gamma = pointOf(bytes.subarray(0, POINT_BYTES))
  const c = bytesToNumberLE(bytes.subarray(POINT_BYTES, POINT_BYTES + CHALLENGE_BYTES))
  const s = bytesToNumberLE(bytes.subarray(POINT_BYTES + CHALLENGE_BYTES))
  return gamma === undefined || s >= ORDER ? undefined : { gamma, c, s }
}

/** 5.2, from the decoded proof. */
const outputOf = ({ gamma }: Proof): Uint8Array =>
  sha512Of(Uint8Array.of(SUITE, PROOF_TO_HASH_FRONT), gamma.clearCofactor().toBytes(), Uint8Array.of(BACK))

/** 5.1: the proof of the output for `alpha` under the key of this Ed25519 seed. */
export function prove (seed: Uint8Array, alpha: Uint8Array): Uint8Array {
  const { scalar, prefix, point, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
  const h = encodeToCurve(pointBytes, alpha)
  const gamma = h.multiply(scalar)
  // 5.4.2.2: the nonce of RFC 8032, so that no randomness is needed and none can fail.
  const k = bytesToNumberLE(sha512Of(prefix, h.toBytes())) % ORDER
  const c = challenge(point, h, gamma, Point.BASE.multiply(k), h.multiply(k))
  const s = (k + c * scalar) % ORDER
  const proof = new Uint8Array(PROOF_BYTES)
  proof.set(gamma.toBytes())
  proof.set(numberToBytesLE(c, CHALLENGE_BYTES), POINT_BYTES)
  proof.set(numberToBytesLE(s, SCALAR_BYTES), POINT_BYTES + CHALLENGE_BYTES)
  return proof
}

/**
 * 5.3, with validate_key: the output that `proof` proves for `alpha` and `key`, undefined if it
 * proves none. A key of small order, for which every output can be proved, is refused (5.4.5).
 */
export function verify (key: Uint8Array, alpha: Uint8Array, proof: Uint8Array): Uint8Array | undefined {
  if (key.length !== HASH_BYTES) return undefined
  const y = pointOf(key)
  if (y === undefined || y.isSmallOrder()) return undefined
  const decoded = decodeProof(proof)
  if (decoded === undefined) return undefined
  const { gamma, c, s } = decoded
  const h = encodeToCurve(key, alpha)
  const u = Point.BASE.multiplyUnsafe(s).subtract(y.multiplyUnsafe(c))
  const v = h.multiplyUnsafe(s).subtract(gamma.multiplyUnsafe(c))
  return challenge(y, h, gamma, u, v) === c ? outputOf(decoded) : undefined
}

/** 5.2: the output of a proof that is known to be right; undefined if it is none at all. */
export function proofToHash (proof: Uint8Array): Uint8Array | undefined {
  const decoded = decodeProof(proof)
  return decoded === undefined ? undefined : outputOf(decoded)
}
