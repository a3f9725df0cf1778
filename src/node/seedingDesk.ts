/**
 * Pay for seeding, by itself: once an epoch is over, hands the chain the receipts that others signed for
 * this account, where what they pay is more than the fee; and, if the user wants it, sets something
 * aside for those who send while a set is being fetched. Every figure comes from the rules of the ledger.
 */
import type { LibrarySettings, SeedingView } from '../bridge/api.ts'
import type { SignedReceipt } from '../core/codec/library.ts'
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { ACTION_REDEEM, ACTION_SET_ASIDE, type RedeemedReceipt } from '../core/codec/wire.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { openBlock } from '../core/ledger/apply.ts'
import { NO_COUNTERS } from '../core/ledger/pots.ts'
import { epochAt, redeem } from '../core/ledger/seeding.ts'
import { account } from '../core/ledger/state.ts'
import { type ChainParams, MAX_RECEIPTS_PER_REDEMPTION } from '../core/params.ts'
import type { ChainService, Hex, Log, PoolService } from './parts.ts'
import type { WalletDesk } from './walletDesk.ts'

/** Blocks at either end of an epoch in which nothing is sent: its turn may still be reorganised, or come first. */
const EDGE_BLOCKS = 2
/** Redemptions sent at once; what is left is sent when they are in a block. */
const BATCHES_MAX = 4

export interface SeedingDeskDeps {
  readonly params: ChainParams
  readonly chain: Pick<ChainService, 'head' | 'on'>
  readonly pool: Pick<PoolService, 'pending'>
  readonly wallet: Pick<WalletDesk, 'nextNonce' | 'submit'>
  /** The account that receipts are made out to, and that sets aside. */
  readonly account: Uint8Array
  readonly library: {
    /** Signed by others. */
    readonly receipts: () => Iterable<SignedReceipt>
    readonly settings: () => Pick<LibrarySettings, 'redeem' | 'setAside'>
    /** Whether a set is being fetched now. */
    readonly fetching: () => boolean
    readonly onChange: (listener: () => void) => () => void
  }
  readonly ready: () => boolean
  readonly log: Log
}

interface Batch { readonly receipts: RedeemedReceipt[], readonly pay: bigint }
interface Plan {
  readonly head: BlockMeta
  readonly known: number
  readonly batches: readonly Batch[]
  /** Bytes of last epoch's receipts whose signers have nothing left that was set aside. */
  readonly unpaid: number
}

export class SeedingDesk {
  readonly #d: SeedingDeskDeps
  readonly #offs: Array<() => void> = []
  #plan: Plan | undefined
  #busy = false
  /** Redemptions were tried on it: what failed there fails there again. */
  #tried: BlockMeta | undefined
  /** Signatures of the receipts that were handed in, and of which epoch. */
  #sent: { readonly epoch: number, readonly receipts: Set<Hex> } = { epoch: -1, receipts: new Set() }
  /** Of receipts of this epoch somebody has made a redemption void: each payer's are handed in apart, so that an emptied pot costs no other's. */
  #apart = -1

  constructor (d: SeedingDeskDeps) { this.#d = d }

  start (): void {
    const look = (): void => {
      if (this.#busy) return
      this.#busy = true
      void this.#look()
        .catch((e: unknown) => { this.#d.log.error('library', e instanceof Error ? e.stack ?? e.message : String(e)) })
        .finally(() => { this.#busy = false })
    }
    this.#offs.push(this.#d.chain.on('head', look), this.#d.library.onChange(look))
  }

  stop (): void { for (const off of this.#offs.splice(0)) off() }

  view (): SeedingView {
    const { params, chain, account: key, library } = this.#d
    const head = chain.head()
    const { seeding } = head.ledger
    const epoch = this.#epoch(head)
    const plan = this.#planned(head)
    let signed = 0
    for (const { receipt } of library.receipts()) if (receipt.epoch === epoch && this.#foreign(receipt)) signed += receipt.bytes
    const { bytes, leechers, sets } = seeding.seeders.get(key) ?? NO_COUNTERS
    return {
      epoch,
      blocksLeft: params.epochBlocks - (head.height + 1) % params.epochBlocks,
      signed,
      payable: plan.batches.reduce((n, b) => n + b.pay, 0n),
      receipts: plan.batches.reduce((n, b) => n + b.receipts.length, 0),
      unpaid: plan.unpaid,
      sent: this.#waits(ACTION_REDEEM),
      setAside: (seeding.setAside.get(key)?.left ?? 0n) + (seeding.redeemable.get(key)?.left ?? 0n),
      counters: { bytes: Number(bytes), leechers, sets }
    }
  }

  /** That of the next block. */
  #epoch (head: BlockMeta): number { return epochAt(head.height + 1, this.#d.params.epochBlocks) }

  #foreign (r: SignedReceipt['receipt']): boolean { return equalBytes(r.to, this.#d.account) && !equalBytes(r.from, this.#d.account) }

  #waits (selector: number): boolean { return this.#waiting(selector).length > 0 }

  /** Their nonces. */
  #waiting (selector: number): number[] { return this.#d.pool.pending(this.#d.account).filter(t => t.transaction.action.selector === selector).map(t => t.transaction.nonce) }

  /** What could be redeemed in the next block: the rule itself is asked, receipt by receipt, the largest first. */
  #planned (head: BlockMeta): Plan {
    const { params, account: to, library } = this.#d
    const of = this.#epoch(head) - 1
    const found: SignedReceipt[] = []
    let known = 0
    for (const r of library.receipts()) {
      if (r.receipt.epoch !== of || !this.#foreign(r.receipt)) continue
      found.push(r)
      known += r.receipt.bytes
    }
    if (this.#plan?.head === head && this.#plan.known === known) return this.#plan
    let { ledger } = openBlock(params, head.ledger, head.height + 1)
    const batches: Batch[] = []
    let unpaid = 0
    for (const { receipt: { from, infoHash, bytes }, signature } of found.sort((a, b) => b.receipt.bytes - a.receipt.bytes)) {
      const one: RedeemedReceipt = { from, infoHash, bytes, signature }
      const step = redeem(ledger, params.epochBlocks, to, of, [one])
      if (!step.ok) {
        if (step.reason === 'redeem-pot') unpaid += bytes
        continue
      }
      ledger = step.ledger
      const at = batches.findIndex(b => b.receipts.length < MAX_RECEIPTS_PER_REDEMPTION && (this.#apart !== of || equalBytes(b.receipts[0].from, from)))
      const pay = step.paid[0].amount
      if (at === -1) batches.push({ receipts: [one], pay })
      else batches[at] = { receipts: [...batches[at].receipts, one], pay: batches[at].pay + pay }
    }
    return this.#plan = { head, known, batches, unpaid }
  }

  async #look (): Promise<void> {
    const { params, chain, wallet, library, log } = this.#d
    const head = chain.head()
    const into = (head.height + 1) % params.epochBlocks
    if (into < EDGE_BLOCKS || into >= params.epochBlocks - EDGE_BLOCKS || !this.#d.ready()) return
    const settings = library.settings()
    await this.#setAside(head, BigInt(settings.setAside))
    // Those behind a nonce whose transaction was made void wait for another of that nonce.
    const next = wallet.nextNonce()
    const waiting = this.#waiting(ACTION_REDEEM)
    if (!settings.redeem || this.#tried === head || waiting.some(nonce => nonce < next)) return
    this.#tried = head
    const epoch = this.#epoch(head) - 1
    if (this.#sent.epoch !== epoch) this.#sent = { epoch, receipts: new Set() }
    if (this.#apart !== epoch && this.#planned(head).batches.some(b => b.receipts.some(r => this.#sent.receipts.has(toHex(r.signature))))) {
      this.#apart = epoch
      this.#plan = undefined
    }
    const worth = this.#planned(head).batches.filter(b => b.pay > params.minFee).slice(0, waiting.length > 0 ? 1 : BATCHES_MAX)
    for (const { receipts, pay } of worth) {
      for (const r of receipts) this.#sent.receipts.add(toHex(r.signature))
      const outcome = await wallet.submit({ selector: ACTION_REDEEM, value: { epoch, receipts } }, params.minFee)
      if (outcome.ok) log.info('library', `${receipts.length} receipts of epoch ${epoch} are handed in: they pay ${pay} grains`)
      // Without a credit there is nothing to pay the fee with; the next block may bring one.
      else { log.debug('library', `receipts of epoch ${epoch} are not handed in: ${outcome.errors.map(e => e.message).join('; ')}`); return }
    }
  }

  async #setAside (head: BlockMeta, grains: bigint): Promise<void> {
    const { params, account: key, wallet, library, log } = this.#d
    if (grains < params.minFee || !library.fetching() || this.#waits(ACTION_SET_ASIDE)) return
    if (head.ledger.seeding.setAside.get(key) !== undefined || account(head.ledger, key).balance < grains + params.minFee) return
    const outcome = await wallet.submit({ selector: ACTION_SET_ASIDE, value: { grains } }, params.minFee)
    if (outcome.ok) log.info('library', `${grains} grains are set aside for those who send, transaction ${outcome.value.id.slice(0, 8)}`)
  }
}

