/** What wallets have paid on the chain, held against what their owners have asked them to pay. */
import { toHex } from '../../src/core/codec/ssz.ts'
import { ACTION_TRANSFER } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import type { BlockRecord } from '../../src/node/parts.ts'

/** Keys in hex, grains. */
export interface Payment { readonly from: string, readonly to: string, readonly amount: bigint, readonly fee: bigint }

const nameOf = ({ from, to, amount, fee }: Payment): string => `${from}/${to}/${amount}/${fee}`

export class Payments {
  /** By block. */
  readonly #in = new Map<string, readonly Payment[]>()

  heard (blocks: readonly BlockRecord[]): void {
    for (const { body, meta } of blocks) {
      const payments = body.transactions.flatMap(({ transaction: { action, fee, from } }) =>
        action.selector === ACTION_TRANSFER && action.value !== null && 'to' in action.value ? [{ from: toHex(from), to: toHex(action.value.to), amount: action.value.amount, fee }] : [])
      if (payments.length > 0) this.#in.set(toHex(meta.hash), payments)
    }
  }

  /** Of `wallets` (keys in hex), those on the chain that nobody asked for, or not as often. */
  unasked (chain: readonly BlockMeta[], asked: readonly Payment[], wallets: ReadonlySet<string>): Array<Payment & { readonly height: number }> {
    const left = new Map<string, number>()
    for (const name of asked.map(nameOf)) left.set(name, (left.get(name) ?? 0) + 1)
    return chain.flatMap(({ hash, height }) => (this.#in.get(toHex(hash)) ?? []).flatMap(payment => {
      if (!wallets.has(payment.from)) return []
      const n = left.get(nameOf(payment)) ?? 0
      left.set(nameOf(payment), n - 1)
      return n > 0 ? [] : [{ ...payment, height }]
    }))
  }
}
