/**
 * Blocks and transactions as they travel: what this node announces, and what it lets pass. A message
 * is forwarded only after its content was taken, so whoever hands one over answers for it. One thing is
 * given on credit: a block that is sound but for the work, of a miner with a record, is forwarded while
 * its slice is redone, one at a time; else every hop would cost a replay. For its work the miner alone
 * answers, with his key: of a key that was caught nothing more is redone before others build on it.
 *
 * Block message: one byte 0 and the block, or one byte 1 and the header alone where the block is too
 * large for gossip; the body is then asked of whoever handed it over, once the header is in order and signed.
 */
import { decode, equalBytes, toHex } from '../core/codec/ssz.ts'
import { Block, BodiesRequest, BodiesResponse, Body, Claim, SignedTransaction } from '../core/codec/wire.ts'
import { type BlockMeta, chainId } from '../core/consensus/chain.ts'
import { checkHeader } from '../core/consensus/header.ts'
import { invalid, isNews, isOfWork, type ReasonCode, type Refusal } from '../core/consensus/refusal.ts'
import { claimId, transactionId } from '../core/crypto/ids.ts'
import { type ChainParams, MAX_BODY_BYTES, MAX_GOSSIP_BYTES, PROTOCOL_VERSION } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { GossipMessage, Network, PeerId, Verdict } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import { ask } from './askPeers.ts'
import type { Chain } from './chain.ts'
import { MAX_TRANSACTION_BYTES, POOL_LIMITS, REBROADCAST_MS } from './mempool.ts'
import { Lru } from './lru.ts'
import type { Blame, Hex, Log, PoolService, SubmitResult } from './parts.ts'
import type { Records } from './records.ts'
import type { Sync } from './sync.ts'
import { BODIES_PROTOCOL, BODIES_TIMEOUT_MS, MAX_BODIES_RESPONSE_BYTES } from './syncServer.ts'
import { TokenBuckets } from './tokenBucket.ts'
import type { OnSound } from './verify.ts'

const KIND_BLOCK = 0
const KIND_HEADER = 1
/** Larger blocks are announced by header: gossip repeats every byte to every neighbour. */
export const MAX_GOSSIP_BLOCK_BYTES = 60 * 1024
/**
 * Bodies asked for at once: of one neighbour, and in all, which is enough for as many neighbours as there are links.
 * Meanwhile each takes one of the places for messages that are being judged.
 */
const BODIES_PER_PEER = 2
const BODIES_AT_ONCE = 96
/** What one peer may hand over: blocks and transactions per second, and at once. */
const BLOCKS_PER_SECOND = 4
const BLOCKS_BURST = 48
const TRANSACTIONS_PER_SECOND = 40
const TRANSACTIONS_BURST = 400
/** A version further ahead than this is no version but garbage: it must not pass for news. */
const VERSIONS_AHEAD = 64
/** Keys whose last block on credit is remembered. */
const CREDITS_KEPT = 4096
/** Heights after which a key has credit again though its last block on credit was not redone: its data may not be to be had. */
const CREDIT_AGAIN_BLOCKS = 16
/** Peers remembered that brought wrong work of a miner about whom this node could not say anything. */
const DOUBTED_KEPT = 1024
/** What waits is said again by who sent it, for those who missed it; anybody's copies between would cost all of us as much. */
const PASS_AGAIN_MS = 0.75 * REBROADCAST_MS
/** An own block is announced this often while it is the head; gossip may have missed it. */
const ANNOUNCEMENTS = 3

export const blocksTopic = (chain: Uint8Array): string => `/cw/${toHex(chain).slice(0, 8)}/blocks`
export const transactionsTopic = (chain: Uint8Array): string => `/cw/${toHex(chain).slice(0, 8)}/tx`

/** Wrong on every chain and at every height: whoever forwards such a transaction did not look. */
const NEVER_RIGHT: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'transaction-signature', 'transaction-chain', 'transaction-action', 'transaction-fee', 'transaction-nonce-exhausted',
  'transfer-amount', 'transfer-self', 'post-spec-encoding', 'post-spec-rules', 'post-price', 'post-escrow', 'post-burn',
  'set-aside-amount', 'redeem-none', 'redeem-self', 'redeem-signature'
])

export class BlocksGossip {
  readonly #params: ChainParams
  readonly #clock: Clock
  readonly #network: Pick<Network, 'publish' | 'subscribe' | 'request'>
  readonly #chain: Chain
  readonly #sync: Pick<Sync, 'sawVersion'>
  readonly #pool: Pick<PoolService, 'add'>
  readonly #records: Pick<Records, 'standing'>
  readonly #signatures: Signatures
  readonly #blame: Blame
  readonly #log: Log
  readonly #blocks: TokenBuckets
  readonly #transactions: TokenBuckets
  /** By miner: the last block. */
  readonly #credits = new Lru<{ readonly height: number, readonly hash: Uint8Array }>(CREDITS_KEPT)
  readonly #doubted = new Lru<true>(DOUBTED_KEPT)
  /** Bodies that are asked for. */
  readonly #asked = new Set<{ readonly via: PeerId, readonly block: Hex }>()
  /** By transaction: when it went on last. */
  readonly #passedOn = new Lru<number>(POOL_LIMITS.count)
  readonly #chainId: Uint8Array
  #stopped = false

  constructor (d: {
    readonly params: ChainParams
    readonly clock: Clock
    readonly network: Pick<Network, 'publish' | 'subscribe' | 'request'>
    readonly chain: Chain
    readonly sync: Pick<Sync, 'sawVersion'>
    readonly pool: Pick<PoolService, 'add'>
    readonly records: Pick<Records, 'standing'>
    readonly signatures: Signatures
    readonly blame: Blame
    readonly log: Log
  }) {
    this.#params = d.params
    this.#clock = d.clock
    this.#network = d.network
    this.#chain = d.chain
    this.#sync = d.sync
    this.#pool = d.pool
    this.#records = d.records
    this.#signatures = d.signatures
    this.#blame = d.blame
    this.#log = d.log
    this.#blocks = new TokenBuckets(d.clock, BLOCKS_PER_SECOND, BLOCKS_BURST)
    this.#transactions = new TokenBuckets(d.clock, TRANSACTIONS_PER_SECOND, TRANSACTIONS_BURST)
    this.#chainId = chainId(d.chain.head())
  }

  async start (): Promise<() => void> {
    const offs = [
      await this.#network.subscribe(blocksTopic(this.#chainId), (m) => this.#onBlock(m)),
      await this.#network.subscribe(transactionsTopic(this.#chainId), (m) => this.#onTransaction(m))
    ]
    return () => {
      this.#stopped = true
      for (const off of offs) off()
    }
  }

  /** Announces an own block, again while it stays the head. */
  async announce (block: Block, times = ANNOUNCEMENTS): Promise<void> {
    const bytes = Block.serialize(block)
    const whole = bytes.length <= MAX_GOSSIP_BLOCK_BYTES
    await this.#publish(blocksTopic(this.#chainId), whole ? message(KIND_BLOCK, bytes) : message(KIND_HEADER, Claim.serialize(block.header)))
    if (times <= 1) return
    const hash = claimId(block.header)
    this.#clock.after(this.#params.blockIntervalMs, () => {
      if (!this.#stopped && equalBytes(this.#chain.head().hash, hash)) void this.announce(block, times - 1)
    })
  }

  async announceTransaction (tx: SignedTransaction): Promise<void> {
    await this.#publish(transactionsTopic(this.#chainId), SignedTransaction.serialize(tx))
  }

  async #publish (topic: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#network.publish(topic, bytes)
    } catch (e) {
      // Alone or stopping: nobody to tell, and the next announcement or status will.
      this.#log.debug('gossip', `not published on ${topic}: ${e instanceof Error ? e.message : String(e)}`)
    }
  }

  // --- blocks

  async #onBlock (m: GossipMessage): Promise<Verdict> {
    if (!this.#blocks.take(m.via)) return this.#tooMany('blocks', m.via)
    if (m.bytes.length < 3 || m.bytes.length > MAX_GOSSIP_BYTES) return this.#garbage('block message', `${m.bytes.length} bytes`, m.via)
    // A header begins with its version, whatever later versions add behind it.
    const version = m.bytes[1] | (m.bytes[2] << 8)
    if (version > PROTOCOL_VERSION && version <= PROTOCOL_VERSION + VERSIONS_AHEAD) {
      this.#sync.sawVersion(version, m.via)
      return 'ignore'
    }
    const content = m.bytes.subarray(1)
    switch (m.bytes[0]) {
      case KIND_BLOCK: {
        const d = decode(Block, content, MAX_GOSSIP_BYTES)
        if (!d.ok) return this.#garbage('block message', `${d.error.reason}: ${d.error.detail}`, m.via)
        return await this.#onWhole(d.value, m)
      }
      case KIND_HEADER: {
        const d = decode(Claim, content, MAX_GOSSIP_BYTES)
        if (!d.ok) return this.#garbage('block message', `${d.error.reason}: ${d.error.detail}`, m.via)
        return await this.#onHeader(d.value, m)
      }
      default:
        return this.#garbage('block message', `kind ${m.bytes[0]}`, m.via)
    }
  }

  async #onWhole (block: Block, m: GossipMessage): Promise<Verdict> {
    return await new Promise((resolve, reject) => {
      let unknown = false
      const onSound: OnSound = () => {
        const standing = this.#standing(block)
        unknown = standing === 'unknown'
        if (standing === 'credit') resolve('welcome')
        if (unknown && this.#doubted.has(m.via)) return 'let-go'
        return standing === 'credit' || standing === 'unknown' ? 'forgiven' : standing
      }
      const onForgiven = (): void => { if (unknown) this.#doubted.set(m.via, true) }
      this.#chain.submit(block, m.origin, m.via, { onSound, onForgiven }).then(r => {
        resolve(this.#mayBeCredit(block, r) ? 'ignore' : verdictOf(r))
      }, reject)
    })
  }

  /**
   * Whoever brought it may have passed it on before it was redone, as he should. It may have been refused here
   * already: a header alone is redone by whoever hears it, so its maker chooses who has done so before the others hear of it.
   */
  #mayBeCredit ({ header }: Block, r: SubmitResult): boolean {
    if (r.status !== 'refused' || !isOfWork(r.refusal)) return false
    const parent = this.#chain.meta(header.template.parent)
    return parent === undefined || this.#records.standing(parent, header.template.miner) !== false
  }

  /** Of the miner at this block's parent: the same wherever the bodies behind it are. */
  #standing ({ header }: Block): ReturnType<OnSound> | 'credit' | 'unknown' {
    const { height, miner, parent: before } = header.template
    const parent = this.#chain.meta(before)
    // It fell while this block was looked at, and may stand where the block comes from.
    if (parent === undefined) return 'forgiven'
    const standing = this.#records.standing(parent, miner)
    if (standing === false) return 'answers'
    if (this.#blame.isBannedMiner(miner)) return 'let-go'
    // Whoever has more of the bodies may have given credit where this node cannot.
    if (standing === undefined) return 'unknown'
    const name = toHex(miner)
    const last = this.#credits.get(name)
    // Blocks that cannot be redone prove nothing against their key: each that goes on unseen must not bring the next.
    const settled = last === undefined || (height > last.height && (this.#chain.has(last.hash) || height - last.height >= CREDIT_AGAIN_BLOCKS))
    if (!settled) return 'forgiven'
    this.#credits.set(name, { height, hash: claimId(header) })
    return 'credit'
  }

  async #onHeader (header: Claim, m: GossipMessage): Promise<Verdict> {
    const hash = claimId(header)
    if (this.#chain.has(hash)) return 'ignore'
    const parent: BlockMeta | undefined = this.#chain.meta(header.template.parent)
    if (parent === undefined) {
      this.#chain.announceMissing(header, m.via)
      return 'ignore'
    }
    const wrong = checkHeader(this.#params, parent, header, this.#clock.now())
    if (wrong !== undefined) return wrong.verdict === 'invalid' ? this.#wrongHeader(header, wrong, m.via) : 'ignore'
    const ofPeer = [...this.#asked].filter(a => a.via === m.via)
    // Another neighbour who brings the same is asked as well: who withholds a body must not hold it up.
    if (ofPeer.some(a => a.block === toHex(hash))) return 'ignore'
    if (ofPeer.length >= BODIES_PER_PEER || this.#asked.size >= BODIES_AT_ONCE) {
      // Nothing is wrong with it: by its bearer's status it is found all the same.
      this.#chain.announceMissing(header, m.via)
      return 'ignore'
    }
    const asked = { via: m.via, block: toHex(hash) }
    this.#asked.add(asked)
    let body: Body | undefined
    try {
      const [valid] = await this.#signatures.verify([{ key: header.template.miner, message: hash, signature: header.signature }])
      if (!valid) return this.#wrongHeader(header, invalid('header-signature', 'not signed by its miner'), m.via)
      body = await this.#fetchBody(hash, m.via)
    } finally {
      this.#asked.delete(asked)
    }
    return body === undefined ? 'ignore' : verdictOf(await this.#chain.submit({ header, body }, m.origin, m.via))
  }

  #wrongHeader (header: Claim, { reason, detail }: Refusal, peer: PeerId): Verdict {
    this.#blame.refuse({ what: `header ${header.template.height} ${toHex(claimId(header)).slice(0, 8)}`, reason, detail, peer, fatal: true })
    return 'reject'
  }

  async #fetchBody (hash: Uint8Array, via: PeerId): Promise<Body | undefined> {
    const answer = await ask(this.#network, via, BODIES_PROTOCOL, BodiesRequest.serialize({ hashes: [hash] }), BODIES_TIMEOUT_MS, MAX_BODIES_RESPONSE_BYTES)
    const d = answer === undefined ? undefined : decode(BodiesResponse, answer, MAX_BODIES_RESPONSE_BYTES)
    const body = d?.ok === true && d.value.bodies.length === 1 ? decode(Body, d.value.bodies[0], MAX_BODY_BYTES) : undefined
    return body?.ok === true ? body.value : undefined
  }

  // --- transactions

  async #onTransaction (m: GossipMessage): Promise<Verdict> {
    if (!this.#transactions.take(m.via)) return this.#tooMany('transactions', m.via)
    const d = decode(SignedTransaction, m.bytes, MAX_TRANSACTION_BYTES)
    if (!d.ok) return this.#garbage('transaction message', `${d.error.reason}: ${d.error.detail}`, m.via)
    const id = toHex(transactionId(d.value.transaction))
    if (this.#clock.now() - (this.#passedOn.get(id) ?? -Infinity) < PASS_AGAIN_MS) return 'ignore'
    const refused = await this.#pool.add(d.value, m.via)
    if (refused === undefined) {
      this.#passedOn.set(id, this.#clock.now())
      return 'accept'
    }
    if (!NEVER_RIGHT.has(refused.reason) || refused.verdict !== 'invalid') return 'ignore'
    this.#blame.refuse({ what: 'transaction', reason: refused.reason, detail: refused.detail, peer: m.via, fatal: true })
    return 'reject'
  }

  #garbage (what: string, detail: string, peer: PeerId): Verdict {
    this.#blame.refuse({ what, reason: 'malformed', detail, peer, fatal: true })
    return 'reject'
  }

  #tooMany (what: string, peer: PeerId): Verdict {
    this.#blame.refuse({ what, reason: 'too-many', detail: 'more per second than one peer may hand over', peer, fatal: false })
    return 'ignore'
  }
}

function message (kind: number, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + content.length)
  out[0] = kind
  out.set(content, 1)
  return out
}

/** Held blocks are not forwarded: this node cannot answer for them yet. */
function verdictOf (r: SubmitResult): Verdict {
  switch (r.status) {
    case 'added': return 'welcome'
    case 'known':
    case 'held': return 'ignore'
    case 'refused': return r.refusal.verdict === 'invalid' && !isNews(r.refusal) ? 'reject' : 'ignore'
    default: return r satisfies never
  }
}
