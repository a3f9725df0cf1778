/** Spending from the wallet: builds and signs transactions that the pool will take. */
import type { FieldError, Outcome } from '../bridge/api.ts'
import { parseAddress } from '../core/codec/address.ts'
import { formatCredits } from '../core/codec/amount.ts'
import { toHex } from '../core/codec/ssz.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_TRANSFER, type SignedTransaction, type Transaction } from '../core/codec/wire.ts'
import { chainId } from '../core/consensus/chain.ts'
import type { ReasonCode } from '../core/consensus/refusal.ts'
import { transactionId } from '../core/crypto/ids.ts'
import { account } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import type { MinerKey } from './minerKey.ts'
import type { Mempool } from './mempool.ts'
import type { ChainService, Hex } from './parts.ts'
import type { Make, Spending } from './spending.ts'
import { spending } from './views.ts'

/** Field of the form that a pool's refusal is about. */
const FIELD: Readonly<Record<string, string>> = {
  'transaction-fee': 'fee', 'transaction-balance': 'amount', 'transfer-amount': 'amount', 'transfer-self': 'to'
}

/** What a refusal of the pool means for whoever entered it; the pool itself counts in grains and nonces. */
const WORDS: Partial<Readonly<Record<ReasonCode, string>>> = {
  'transaction-fee': 'the fee is too low for what waits to enter a block now: raise it',
  'transaction-balance': 'the wallet cannot pay for this and for what is on its way already',
  'transaction-nonce-gap': 'too many transactions of this wallet wait for a block, or this tab has to catch up: try again after the next one',
  'transaction-nonce-reused': 'another tab of this wallet sent something at the same time: try again',
  'transfer-self': 'this is your own address',
  'post-table-full': 'as many paid jobs are open as every tab follows at once: wait until one ends',
  'post-deadline': 'the deadline is too near or too far: the chain has gone on meanwhile',
  'cancel-ended': 'this job has ended already',
  'cancel-again': 'this job is being cancelled already'
}

export interface WalletDeskDeps {
  readonly params: ChainParams
  readonly chain: Pick<ChainService, 'head'>
  readonly pool: Pick<Mempool, 'pending' | 'check'>
  readonly key: MinerKey
  readonly spending: Pick<Spending, 'sign' | 'nextNonce' | 'forget'>
  /** Sends an accepted transaction to the others. */
  readonly publish: (tx: SignedTransaction) => Promise<void>
}

export class WalletDesk {
  readonly #d: WalletDeskDeps
  constructor (d: WalletDeskDeps) { this.#d = d }

  async send (to: string, amount: bigint, fee: bigint): Promise<Outcome<{ readonly id: Hex }>> {
    const address = parseAddress(to)
    if (!address.ok) return { ok: false, errors: [{ field: 'to', message: address.error }] }
    return await this.submit({ selector: ACTION_TRANSFER, value: { to: address.value, amount } }, fee)
  }

  async submit (action: Transaction['action'], fee: bigint): Promise<Outcome<{ readonly id: Hex }>> {
    return await this.#submit(async nonce => await this.#make(action, fee, nonce))
  }

  /** What was called sent and is not, whichever tab of this profile signed it. */
  async sendAgain (id: Hex): Promise<Outcome<{ readonly id: Hex }>> {
    return await this.#submit(async (nonce, old) => await this.#make(old!.transaction.action, old!.transaction.fee, nonce), id)
  }

  async forgetUnsent (id: Hex): Promise<void> { await this.#d.spending.forget(id) }

  async cancelJob (job: Uint8Array): Promise<Outcome<{ readonly id: Hex }>> {
    return await this.submit({ selector: ACTION_CANCEL_JOB, value: { job } }, this.#d.params.minFee)
  }

  async postJob (value: Extract<Transaction['action']['value'], { escrow: bigint }>, fee: bigint): Promise<Outcome<{ readonly id: Hex, readonly nonce: number }>> {
    return await this.#submit(async nonce => await this.#make({ selector: ACTION_POST_JOB, value }, fee, nonce))
  }

  nextNonce (): number { return this.#d.spending.nextNonce() }

  async #submit (make: Make, again?: Hex): Promise<Outcome<{ readonly id: Hex, readonly nonce: number }>> {
    const signed = await this.#d.spending.sign(make, again)
    if (!signed.ok) return signed
    // Only now: the other tabs know it before anybody else does. What fails here is done again: the pool announces it until a block has it.
    await this.#d.publish(signed.value).catch(() => {})
    const { transaction } = signed.value
    return { ok: true, value: { id: toHex(transactionId(transaction)), nonce: transaction.nonce } }
  }

  async #make (action: Transaction['action'], fee: bigint, nonce: number): Promise<Outcome<SignedTransaction>> {
    const { chain, key, params, pool } = this.#d
    const head = chain.head()
    const errors: FieldError[] = []
    const amount = action.value !== null && 'amount' in action.value ? action.value.amount : undefined
    if (fee < params.minFee) errors.push({ field: 'fee', message: `the fee is at least ${formatCredits(params.minFee)}` })
    if (amount !== undefined && amount < 1n) errors.push({ field: 'amount', message: 'the amount must be above zero' })
    if (errors.length > 0) return { ok: false, errors }
    const transaction: Transaction = { chain: chainId(head), from: key.publicKey, nonce, fee, action }
    const signed: SignedTransaction = { transaction, signature: key.sign(transactionId(transaction)) }
    const pending = pool.pending(key.publicKey).reduce((n, tx) => n + spending(tx), 0n)
    const { balance } = account(head.ledger, key.publicKey)
    if (balance - pending < spending(signed)) {
      return { ok: false, errors: [{ field: amount === undefined ? 'escrow' : 'amount', message: `it takes ${formatCredits(spending(signed))} with the fee, and you can spend ${formatCredits(balance > pending ? balance - pending : 0n)}` }] }
    }
    const refused = pool.check(signed)
    if (refused !== undefined) {
      const field = FIELD[refused.reason] ?? 'form'
      // What is sent has an amount; what a job sets aside is its escrow.
      return { ok: false, errors: [{ field: field === 'amount' && amount === undefined ? 'escrow' : field, message: WORDS[refused.reason] ?? `${refused.reason}: ${refused.detail}` }] }
    }
    return { ok: true, value: signed }
  }
}
