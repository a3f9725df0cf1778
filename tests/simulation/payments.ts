/** What wallets have spent on the chain, held against what their owners have asked them to spend. */
import { toHex } from '../../src/core/codec/ssz.ts'
import { Action, ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_TRANSFER, type Transaction } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { transactionId } from '../../src/core/crypto/ids.ts'
import type { BlockRecord } from '../../src/node/parts.ts'

/** What only owners ask for; what pays for seeding the node sends by itself. */
const KINDS: Readonly<Record<number, string>> = { [ACTION_TRANSFER]: 'transfer', [ACTION_POST_JOB]: 'job', [ACTION_CANCEL_JOB]: 'cancellation' }

/** Keys in hex; `name`: all that there is to it but its nonce. */
export interface Payment { readonly from: string, readonly kind: string, readonly name: string }
interface Made extends Payment { readonly id: string }

export function paymentOf ({ action, fee, from }: Pick<Transaction, 'action' | 'fee' | 'from'>): Payment | undefined {
  const kind = KINDS[action.selector]
  return kind === undefined ? undefined : { from: toHex(from), kind, name: `${toHex(from)}/${fee}/${toHex(Action.serialize(action))}` }
}

export class Payments {
  /** By block. */
  readonly #in = new Map<string, readonly Made[]>()

  heard (blocks: readonly BlockRecord[]): void {
    for (const { body, meta } of blocks) {
      const payments = body.transactions.flatMap(({ transaction }) => {
        const payment = paymentOf(transaction)
        return payment === undefined ? [] : [{ ...payment, id: toHex(transactionId(transaction)) }]
      })
      if (payments.length > 0) this.#in.set(toHex(meta.hash), payments)
    }
  }

  /** Their ids, in these blocks. */
  ids (chain: readonly BlockMeta[]): Set<string> {
    return new Set(chain.flatMap(({ hash }) => (this.#in.get(toHex(hash)) ?? []).map(({ id }) => id)))
  }

  /** Of `wallets` (keys in hex), those on the chain that nobody asked for, or not as often. */
  unasked (chain: readonly BlockMeta[], asked: readonly Payment[], wallets: ReadonlySet<string>): Array<Payment & { readonly height: number }> {
    const left = new Map<string, number>()
    for (const { name } of asked) left.set(name, (left.get(name) ?? 0) + 1)
    return chain.flatMap(({ hash, height }) => (this.#in.get(toHex(hash)) ?? []).flatMap(payment => {
      if (!wallets.has(payment.from)) return []
      const n = left.get(payment.name) ?? 0
      left.set(payment.name, n - 1)
      return n > 0 ? [] : [{ ...payment, height }]
    }))
  }
}
