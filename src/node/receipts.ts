/**
 * Receipts for bytes, in band: who gets pieces signs, per epoch, how many bytes of a torrent it has
 * got of a peer; who sends them takes no word that is more than it sent, and stops serving who does
 * not sign. At the start of a link the sender shows the newest receipt it holds, and the count goes
 * on from there: whoever hides one only makes its own next ones worth less.
 */
import { decode, equalBytes, fromHex, toHex } from '../core/codec/ssz.ts'
import { LINK_HELLO, LINK_RECEIPT, type LinkHello, LinkMessage, SignedReceipt } from '../core/codec/library.ts'
import { receiptMessage } from '../core/crypto/ids.ts'
import { epochAt } from '../core/ledger/seeding.ts'
import { utf8Bytes, utf8Text } from '../core/training/utf8.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import { type LinkId, MAX_LINK_MESSAGE_BYTES, type Swarm, type SwarmLink } from '../ports/swarm.ts'
import type { MinerKey } from './minerKey.ts'
import type { Blame, Hex } from './parts.ts'

/** How far an epoch may lie from ours: heads differ by a few blocks. */
const EPOCHS_APART = 1
/** A receipt is written for so many bytes, or after so long with fewer. */
export const SIGN_BYTES = 1024 * 1024
export const SIGN_MS = 1_000
/** Sent and not signed for: more is not given on credit. */
export const CREDIT_BYTES = 8 * 1024 * 1024
/** And a sixteenth of what was signed for: blocks that were given up on the way are sent, and signed for by nobody. */
const LOST_SHARE = 16
/** What its links left unsigned shortens the credit of a peer's next ones, and ends it above this; a credit is forgiven in FORGIVE_MS. */
export const DEBT_BYTES_MAX = 8 * CREDIT_BYTES
export const FORGIVE_MS = 30 * 60_000
/** Peers whose debts are remembered. */
const DEBTORS_MAX = 1024
/** A link of a tracker is not used before it is clear that it leads to nobody the mesh leads to as well. */
export const TRACKER_WAIT_MS = 4_000
/** A link that moved pieces within this time is in use. */
const ACTIVE_MS = 10_000

export type ReceiptFault = 'receipt-malformed' | 'receipt-before-hello' | 'receipt-chain' | 'receipt-key' | 'receipt-torrent' | 'receipt-epoch' | 'receipt-backwards' | 'receipt-too-much' | 'receipt-signature' | 'hello-twice' | 'hello-receipt'

export interface ReceiptStore {
  /** Receipts that others signed for us. */
  newest (from: Hex, infoHash: Hex): Promise<SignedReceipt | undefined>
  put (kind: 'in' | 'out', receipt: SignedReceipt): Promise<void>
}

export interface ReceiptsDeps {
  readonly chain: Uint8Array
  /** Of the account that pays for what comes, and is paid for what goes. */
  readonly key: MinerKey
  readonly epochBlocks: number
  readonly self: () => PeerId
  readonly height: () => number
  /** Whether the height is the network's, as far as we know. */
  readonly synced: () => boolean
  readonly swarm: Pick<Swarm, 'send' | 'serve' | 'cut'>
  readonly signatures: Signatures
  readonly store: ReceiptStore
  readonly blame: Pick<Blame, 'refuse'>
  readonly clock: Pick<Clock, 'now'>
}

interface Account {
  link: SwarmLink
  /** From its hello. */
  key: Uint8Array | undefined
  /** What it calls itself in the mesh: on a link of a tracker, good for finding duplicates only. */
  name: PeerId | undefined
  readonly since: number
  theirEpoch: number
  /** It has shown what it holds of us, or that it holds nothing: we may sign. */
  shown: boolean
  /** Of what we got: bytes signed for on this link, and the receipt the next one goes on from. */
  signed: number
  out: { epoch: number, bytes: number }
  signedAt: number
  /** Of what we sent: bytes on this link that were signed for, and the newest receipt. */
  paid: number
  in: { epoch: number, bytes: number }
  served: boolean
  activeAt: number
  /** Receipts come one after the other, and so they are judged. */
  queue: Promise<void>
}

export class Receipts {
  readonly #d: ReceiptsDeps
  readonly #accounts = new Map<LinkId, Account>()
  /** Bytes that ended links left unsigned, by authenticated name: a new link is no new credit. */
  readonly #debts = new Map<PeerId, { readonly bytes: number, readonly at: number }>()

  constructor (d: ReceiptsDeps) { this.#d = d }

  epoch (): number { return epochAt(this.#d.height(), this.#d.epochBlocks) }

  /** Of one link: what was signed for us and by us on it, bytes. */
  of (link: LinkId): { readonly in: number, readonly out: number } {
    const a = this.#accounts.get(link)
    return { in: a?.paid ?? 0, out: a?.signed ?? 0 }
  }

  /** Its name in the mesh, authenticated where the link is the mesh's. */
  nameOf (link: LinkId): PeerId | undefined { return this.#accounts.get(link)?.name }

  onLink (link: SwarmLink): void {
    this.#accounts.set(link.id, {
      link, key: undefined, name: link.peer, since: this.#d.clock.now(), theirEpoch: 0, shown: false, signed: 0, out: { epoch: -1, bytes: 0 }, signedAt: this.#d.clock.now(),
      paid: 0, in: { epoch: -1, bytes: 0 }, served: true, activeAt: this.#d.clock.now(), queue: Promise.resolve()
    })
    this.#send(link.id, { selector: LINK_HELLO, value: this.#hello(undefined) })
    if (link.via === 'tracker') this.#allow(this.#accounts.get(link.id)!, false)
  }

  /** `link`: with its last counts. */
  onUnlink (link: SwarmLink): void {
    const a = this.#accounts.get(link.id)
    this.#accounts.delete(link.id)
    const left = a === undefined ? 0 : link.up - Math.max(a.paid, link.down) - a.paid / LOST_SHARE
    if (link.peer === undefined || left <= 0) return
    const bytes = this.#debtOf(link.peer) + left
    this.#debts.delete(link.peer)
    this.#debts.set(link.peer, { bytes, at: this.#d.clock.now() })
    if (this.#debts.size > DEBTORS_MAX) this.#debts.delete(this.#debts.keys().next().value!)
  }

  #debtOf (peer: PeerId | undefined): number {
    const d = peer === undefined ? undefined : this.#debts.get(peer)
    return d === undefined ? 0 : Math.max(0, d.bytes - CREDIT_BYTES * (this.#d.clock.now() - d.at) / FORGIVE_MS)
  }

  /** The counts of all links now. Signs what is due, and serves or not. */
  async onCounts (links: readonly SwarmLink[]): Promise<void> {
    const now = this.#d.clock.now()
    for (const link of links) {
      const a = this.#accounts.get(link.id)
      if (a === undefined) continue
      if (link.down !== a.link.down || link.up !== a.link.up) a.activeAt = now
      a.link = link
      const owed = link.down - a.signed
      if (a.shown && owed > 0 && (owed >= SIGN_BYTES || now - a.signedAt >= SIGN_MS)) await this.#sign(a, link.down)
    }
    this.#dropDuplicates()
    this.#serve(now)
  }

  async onMessage (link: SwarmLink, bytes: Uint8Array): Promise<void> {
    const a = this.#accounts.get(link.id)
    if (a === undefined) return
    const step = a.queue.then(async () => {
      // Counts only grow, and a message brings newer ones than the last report.
      if (link.up > a.link.up || link.down > a.link.down) a.link = link
      const d = decode(LinkMessage, bytes, MAX_LINK_MESSAGE_BYTES)
      if (!d.ok || d.value.value === null) this.#refuse(a, 'receipt-malformed', d.ok ? 'nothing in it' : d.error.detail)
      else if (d.value.selector === LINK_HELLO) await this.#onHello(a, d.value.value as LinkHello)
      else await this.#onReceipt(a, d.value.value as SignedReceipt)
    })
    a.queue = step.catch(() => {})
    await step
  }

  #hello (last: SignedReceipt | undefined): LinkHello {
    return { chain: this.#d.chain, key: this.#d.key.publicKey, peer: utf8Bytes(this.#d.self())!, epoch: this.epoch(), last: last === undefined ? [] : [last] }
  }

  async #onHello (a: Account, hello: LinkHello): Promise<void> {
    if (!equalBytes(hello.chain, this.#d.chain)) { this.#refuse(a, 'receipt-chain', 'of another chain'); return }
    if (a.key !== undefined && !equalBytes(a.key, hello.key)) { this.#refuse(a, 'hello-twice', 'a second key on one link'); return }
    if (a.link.peer !== undefined && utf8Text(hello.peer) !== a.link.peer) { this.#refuse(a, 'receipt-key', 'it calls itself another peer'); return }
    const first = a.key === undefined
    if (!first && a.shown) { this.#refuse(a, 'hello-twice', 'a third hello'); return }
    a.key = hello.key
    a.name = utf8Text(hello.peer)
    a.theirEpoch = hello.epoch
    // Its receipt of ours, if that is what it is: the count goes on there.
    const [last] = hello.last
    if (last !== undefined && !first) {
      const { receipt } = last
      const ours = equalBytes(receipt.from, this.#d.key.publicKey) && equalBytes(receipt.to, hello.key) && toHex(receipt.infoHash) === a.link.infoHash && equalBytes(receipt.chain, this.#d.chain)
      const [right] = ours ? await this.#d.signatures.verify([{ key: receipt.from, message: receiptMessage(receipt), signature: last.signature }]) : [false]
      if (!right) { this.#refuse(a, 'hello-receipt', 'it shows a receipt that we did not sign'); return }
      a.out = { epoch: receipt.epoch, bytes: receipt.bytes }
    }
    if (!first) { a.shown = true; return }
    // Now we know whom we speak to, and can show what we hold of him, or that it is nothing.
    const held = await this.#d.store.newest(toHex(hello.key), a.link.infoHash)
    if (held !== undefined) a.in = { epoch: held.receipt.epoch, bytes: held.receipt.bytes }
    this.#send(a.link.id, { selector: LINK_HELLO, value: this.#hello(held) })
  }

  async #onReceipt (a: Account, signed: SignedReceipt): Promise<void> {
    const { receipt } = signed
    if (a.key === undefined) { this.#refuse(a, 'receipt-before-hello', 'a receipt of nobody'); return }
    if (!equalBytes(receipt.chain, this.#d.chain)) { this.#refuse(a, 'receipt-chain', 'of another chain'); return }
    if (!equalBytes(receipt.from, a.key) || !equalBytes(receipt.to, this.#d.key.publicKey)) { this.#refuse(a, 'receipt-key', 'of others'); return }
    if (toHex(receipt.infoHash) !== a.link.infoHash) { this.#refuse(a, 'receipt-torrent', 'of another torrent'); return }
    const apart = Math.abs(receipt.epoch - this.epoch()) > EPOCHS_APART
    // While it catches up it cannot tell the network's epoch from any other: what may be worth nothing pays for nothing, and the next receipt, once it can, has these bytes too.
    if (apart && !this.#d.synced()) return
    if (apart || receipt.epoch < a.in.epoch) { this.#refuse(a, 'receipt-epoch', `epoch ${receipt.epoch}, ours is ${this.epoch()}`); return }
    const before = receipt.epoch === a.in.epoch ? a.in.bytes : 0
    const claimed = receipt.bytes - before
    if (claimed <= 0) { this.#refuse(a, 'receipt-backwards', `${receipt.bytes} bytes after ${before}`); return }
    if (a.paid + claimed > a.link.up) { this.#refuse(a, 'receipt-too-much', `${claimed} bytes more, ${a.link.up - a.paid} were sent`); return }
    const [right] = await this.#d.signatures.verify([{ key: receipt.from, message: receiptMessage(receipt), signature: signed.signature }])
    if (right !== true) { this.#refuse(a, 'receipt-signature', 'not signed by its key'); return }
    a.paid += claimed
    a.in = { epoch: receipt.epoch, bytes: receipt.bytes }
    await this.#d.store.put('in', signed)
    this.#serve(this.#d.clock.now())
  }

  async #sign (a: Account, down: number): Promise<void> {
    const own = this.epoch()
    // A tab that is still catching up takes the other's word for the time; it signs bytes, and each once.
    const epoch = Math.max(a.out.epoch, a.theirEpoch > own && (!this.#d.synced() || a.theirEpoch - own <= EPOCHS_APART) ? a.theirEpoch : own)
    const before = epoch === a.out.epoch ? a.out.bytes : 0
    const receipt = { chain: this.#d.chain, from: this.#d.key.publicKey, to: a.key!, infoHash: fromHex(a.link.infoHash, 20)!, epoch, bytes: before + down - a.signed }
    const signed = { receipt, signature: this.#d.key.sign(receiptMessage(receipt)) }
    a.out = { epoch, bytes: receipt.bytes }
    a.signed = down
    a.signedAt = this.#d.clock.now()
    this.#send(a.link.id, { selector: LINK_RECEIPT, value: signed })
    await this.#d.store.put('out', signed)
  }

  /**
   * Tit for tat first: who gives is served. Who signs is served. Who does neither is, once his credit
   * is used, only if he cannot sign (a plain client) and nobody who does wants anything now.
   */
  #serve (now: number): void {
    for (const a of this.#accounts.values()) {
      const debt = this.#debtOf(a.link.peer)
      // A link may end within a second's bytes again and again: who signs is served all the same, only on shorter credit.
      const credit = debt > DEBT_BYTES_MAX ? 0 : Math.max(SIGN_BYTES, CREDIT_BYTES + a.paid / LOST_SHARE - debt)
      const unpaid = a.link.up - a.paid
      const gives = a.link.down + credit >= a.link.up
      const plain = a.link.via === 'tracker' && a.key === undefined
      const known = a.link.via === 'mesh' || now - a.since >= TRACKER_WAIT_MS
      this.#allow(a, known && (unpaid < credit || gives || (plain && !this.#payersWait(a, now))))
    }
  }

  #allow (a: Account, served: boolean): void {
    if (served === a.served) return
    a.served = served
    void this.#d.swarm.serve(a.link.id, served).catch(() => {})
  }

  /** One link per peer and torrent: what the mesh leads to is not reached by a tracker as well. */
  #dropDuplicates (): void {
    const meshed = new Set<string>()
    for (const { link } of this.#accounts.values()) if (link.via === 'mesh') meshed.add(`${link.infoHash} ${link.peer ?? ''}`)
    for (const { link, name } of this.#accounts.values()) {
      if (link.via === 'tracker' && name !== undefined && (name === this.#d.self() || meshed.has(`${link.infoHash} ${name}`))) void this.#d.swarm.cut(link.id).catch(() => {})
    }
  }

  #payersWait (than: Account, now: number): boolean {
    for (const a of this.#accounts.values()) if (a !== than && a.paid > 0 && a.link.interested && now - a.activeAt < ACTIVE_MS) return true
    return false
  }

  #refuse (a: Account, reason: ReceiptFault, detail: string): void {
    this.#d.blame.refuse({ what: 'receipt', reason, detail, peer: a.link.peer, fatal: false })
  }

  #send (link: LinkId, message: LinkMessage): void { void this.#d.swarm.send(link, LinkMessage.serialize(message)).catch(() => {}) }
}
