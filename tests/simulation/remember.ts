/**
 * What every node of one process would do over and over is done once: a message that all hear is
 * decoded once, a signature verified once, a block judged once per parent. Nothing here changes an
 * answer, for each is that of a pure function of values that never change in place; all of it goes by
 * the identity of objects, so it bites only where the hub and the disks share bytes instead of copying
 * them (WorldOptions.remember). tests/simulation/remember.test.ts runs a world with and without it.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import * as wire from '../../src/core/codec/wire.ts'
import { BLOCK_RULES, type BlockFacts, type BlockRules, type BlockVerdict } from '../../src/core/consensus/apply.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import type { Refusal } from '../../src/core/consensus/refusal.ts'
import { type SignatureItem, verifyZip215 } from '../../src/core/crypto/keys.ts'
import { ledgerRoot, type LedgerState } from '../../src/core/ledger/state.ts'
import type { MinerKey } from '../../src/node/minerKey.ts'
import type { Once } from '../../src/node/once.ts'
import type { Signatures } from '../../src/ports/signatures.ts'

// --- decoding

interface Codec { deserialize(bytes: Uint8Array): unknown, serialize(value: unknown): Uint8Array }
interface Seen { readonly offset: number, readonly length: number, readonly value: unknown }

/**
 * Kept at the things themselves, where no copy takes them along: a property is found faster than an entry of a
 * table of a million, and the collector has no such table to go through.
 */
const hide = (of: object, name: symbol, value: unknown): void => { Object.defineProperty(of, name, { value, configurable: true }) }

/** A view into a buffer is made anew by each who looks: the buffer and the place are what is the same. */
function rememberCodec (type: Codec): void {
  const places = Symbol('places')
  const source = Symbol('source')
  const written = Symbol('written')
  const deserialize = type.deserialize.bind(type)
  const serialize = type.serialize.bind(type)
  type.deserialize = bytes => {
    const buffer = bytes.buffer as { readonly [places]?: Seen[] }
    const seen = buffer[places]
    if (seen !== undefined) for (const s of seen) if (s.offset === bytes.byteOffset && s.length === bytes.length) return s.value
    const value = deserialize(bytes)
    const entry = { offset: bytes.byteOffset, length: bytes.length, value }
    if (seen === undefined) hide(buffer, places, [entry])
    else seen.push(entry)
    hide(value as object, source, bytes)
    return value
  }
  type.serialize = value => {
    const known = value as { readonly [source]?: Uint8Array, readonly [written]?: Uint8Array }
    const before = known[written]
    if (before !== undefined) return before
    const bytes = serialize(value)
    const from = known[source]
    // The very bytes it came from, if they are the canonical ones: to compare them costs nothing then.
    const kept = from !== undefined && equalBytes(from, bytes) ? from : bytes
    hide(known, written, kept)
    return kept
  }
}

for (const type of [
  wire.Template, wire.Claim, wire.Seal, wire.SignedSeal, wire.Body, wire.Block, wire.WorkMessage, wire.SignedTransaction, wire.Transaction,
  wire.Status, wire.PayloadRequest, wire.HeadersResponse, wire.BodiesResponse
]) rememberCodec(type as unknown as Codec)

// --- what follows from values

interface Made { readonly what: string, readonly from: readonly unknown[], readonly value: unknown }

const made = new WeakMap<object, Made[]>()

export const rememberedOnce: Once = <T>(what: string, from: readonly [object, ...unknown[]], make: () => T): T => {
  let list = made.get(from[0])
  if (list === undefined) made.set(from[0], list = [])
  const before = list.find(m => m.what === what && m.from.length === from.length && m.from.every((x, i) => x === from[i]))
  if (before !== undefined) return before.value as T
  const value = make()
  list.push({ what, from, value })
  return value
}

// --- signatures

/** Signatures remembered by what they say, where the same one comes as another object. */
const KNOWN_MAX = 100_000
const byName = new Map<string, boolean>()
const byObject = new WeakMap<Uint8Array, { readonly key: Uint8Array, readonly message: Uint8Array, readonly good: boolean }>()

/** SubjectPublicKeyInfo of Ed25519 (RFC 8410), before the key itself. */
const SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)
/** PrivateKeyInfo of Ed25519 (RFC 8410), before the seed itself. */
const PKCS8 = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20)

const publicKeys = new Map<string, KeyObject>()
/** By seed: a page that is loaded again has the same. */
const keys = new Map<string, MinerKey>()

function publicKeyObject (key: Uint8Array): KeyObject {
  const name = toHex(key)
  let object = publicKeys.get(name)
  if (object === undefined) {
    publicKeys.set(name, object = createPublicKey({ key: Buffer.concat([SPKI, key]), format: 'der', type: 'spki' }))
    if (publicKeys.size > KNOWN_MAX) publicKeys.delete(publicKeys.keys().next().value as string)
  }
  return object
}

function verifyStrictly (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return key.length === 32 && verify(null, message, publicKeyObject(key), signature)
}

/** Ed25519 leaves a signer no choice (RFC 8032, 5.1.6): OpenSSL signs with the same bytes as core does. */
export function nativeKeyOf (seed: Uint8Array): MinerKey {
  const name = toHex(seed)
  let key = keys.get(name)
  if (key === undefined) {
    keys.set(name, key = makeKey(seed))
    // Some enemies take a new one for every block.
    if (keys.size > KNOWN_MAX) keys.delete(keys.keys().next().value as string)
  }
  return key
}

function makeKey (seed: Uint8Array): MinerKey {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  return { publicKey: new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI.length)), sign: message => new Uint8Array(sign(null, message, key)) }
}

function verifyOnce ({ key, message, signature }: SignatureItem): boolean {
  const before = byObject.get(signature)
  if (before !== undefined && equalBytes(before.key, key) && equalBytes(before.message, message)) return before.good
  const name = `${toHex(signature)} ${toHex(key)} ${toHex(message)}`
  let good = byName.get(name)
  if (good === undefined) {
    // What the stricter rule of OpenSSL accepts, ZIP-215 accepts (tests/core/crypto): only a no is asked again.
    good = verifyStrictly(key, message, signature) || verifyZip215(key, message, signature)
    byName.set(name, good)
    if (byName.size > KNOWN_MAX) byName.delete(byName.keys().next().value as string)
  }
  byObject.set(signature, { key, message, good })
  return good
}

export const rememberedSignatures: Signatures = { verify: async items => items.map(verifyOnce) }
export const plainSignatures: Signatures = { verify: async items => items.map(i => verifyZip215(i.key, i.message, i.signature)) }

// --- blocks

/** A block all nodes of the world hold: a node that lets go of what is deep below must not take it from the others. */
class SharedMeta implements BlockMeta {
  readonly hash: Uint8Array
  readonly header: wire.Claim
  readonly height: number
  readonly work: bigint
  readonly rho: Uint8Array
  readonly ticket: Uint8Array
  readonly ledger: LedgerState
  readonly #parent: BlockMeta | undefined

  constructor (m: BlockMeta) {
    this.hash = m.hash
    this.header = m.header
    this.height = m.height
    this.work = m.work
    this.rho = m.rho
    this.ticket = m.ticket
    this.ledger = m.ledger
    this.#parent = m.parent
  }

  get parent (): BlockMeta | undefined { return this.#parent }
  /** src/node/tree.ts cuts below what it keeps. */
  set parent (_: BlockMeta | undefined) { /* Kept for the others. */ }
}

interface Judged {
  header?: { readonly refusal: Refusal | undefined }
  items?: SignatureItem[]
  meta?: BlockMeta
  readonly verdicts: Map<string, BlockVerdict>
}

/** Facts under which an answer is remembered; undefined where they are not the common ones. */
function factsName (block: wire.Block, facts: BlockFacts): string | undefined {
  if (facts.wrongContributions.size > 0 || facts.signatures.includes(false)) return undefined
  const { header, body } = block
  const { replay } = facts
  if (replay.kind === 'unavailable') return undefined
  if (replay.kind === 'done' && !(equalBytes(replay.resultHash, header.resultHash) && equalBytes(replay.payloadDigest, header.payloadDigest))) return undefined
  let name = `${facts.signatures.length}${replay.kind}`
  for (const [i, fact] of facts.seals.entries()) {
    if (fact.kind === 'skipped') name += 's'
    else if (fact.kind === 'done' && equalBytes(fact.stateHash, body.seals[i].seal.stateHash)) name += 'd'
    else return undefined
  }
  return name
}

/** For one world: its nodes share every block they have judged right. */
export function rememberedRules (): BlockRules {
  const known = new WeakMap<BlockMeta, WeakMap<wire.Claim, WeakMap<wire.Body, Judged>>>()
  const noBody: wire.Body = { transactions: [], seals: [] }
  const byHash = new Map<string, WeakRef<BlockMeta>>()
  const same = new WeakMap<BlockMeta, BlockMeta>()
  /** The one that stands for all of its hash: a tab that was reloaded made its own, of what its disk holds. */
  const canonical = (meta: BlockMeta): BlockMeta => {
    let one = same.get(meta)
    if (one !== undefined) return one
    const name = toHex(meta.hash)
    one = byHash.get(name)?.deref()
    if (one === undefined) byHash.set(name, new WeakRef(one = meta))
    // What is wrong on a disk stays that node's own affair.
    else if (one.ledger !== meta.ledger && !equalBytes(ledgerRoot(one.ledger), ledgerRoot(meta.ledger))) one = meta
    same.set(meta, one)
    return one
  }
  const judged = (parent: BlockMeta, header: wire.Claim, body: wire.Body): Judged => {
    const one = canonical(parent)
    let headers = known.get(one)
    if (headers === undefined) known.set(one, headers = new WeakMap())
    let bodies = headers.get(header)
    if (bodies === undefined) headers.set(header, bodies = new WeakMap())
    let j = bodies.get(body)
    if (j === undefined) bodies.set(body, j = { verdicts: new Map() })
    return j
  }
  const rules: BlockRules = {
    checkHeader (params, parent, claim, nowMs) {
      const j = judged(parent, claim, noBody)
      j.header ??= { refusal: BLOCK_RULES.checkHeader(params, parent, claim, Infinity) }
      return j.header.refusal ?? (claim.template.time > nowMs + params.futureMs ? BLOCK_RULES.checkHeader(params, parent, claim, nowMs) : undefined)
    },
    blockSignatureItems (params, parent, block) {
      const j = judged(parent, block.header, block.body)
      return j.items ??= BLOCK_RULES.blockSignatureItems(params, parent, block)
    },
    applyBlock (params, parent, block, facts) {
      const name = factsName(block, facts)
      if (name === undefined || rules.checkHeader(params, parent, block.header, facts.nowMs) !== undefined) return BLOCK_RULES.applyBlock(params, parent, block, facts)
      const j = judged(parent, block.header, block.body)
      let verdict = j.verdicts.get(name)
      if (verdict === undefined) {
        verdict = BLOCK_RULES.applyBlock(params, parent, block, facts)
        if (verdict.ok) verdict = { ...verdict, meta: j.meta ??= new SharedMeta(verdict.meta) }
        j.verdicts.set(name, verdict)
      }
      return verdict
    }
  }
  return rules
}
