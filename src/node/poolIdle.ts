/**
 * Which waiting transactions could be in no block as things stand, whatever they offer: those behind a
 * gap in their sender's nonces, and redemptions that come to nothing after those of a higher fee, as a
 * pot is paid out once. A fee that nobody will be asked for buys no room in the pool.
 */
import { toHex } from '../core/codec/ssz.ts'
import { ACTION_REDEEM, type SignedTransaction } from '../core/codec/wire.ts'
import type { Pot } from '../core/ledger/pots.ts'
import { claimOf } from '../core/ledger/seeding.ts'
import { account, type LedgerState } from '../core/ledger/state.ts'
import type { Hex } from './parts.ts'

interface Waiting { readonly from: Hex, readonly nonce: number, readonly signed: SignedTransaction }

/** `bestFirst`: all that wait; `next`: the ledger as the next block finds it. */
export function idleOf<E extends Waiting> (next: LedgerState, bestFirst: readonly E[]): Set<E> {
  const queues = new Map<Hex, E[]>()
  for (const e of bestFirst) {
    const queue = queues.get(e.from) ?? []
    queues.set(e.from, queue)
    queue.push(e)
  }
  const idle = new Set<E>()
  for (const queue of queues.values()) {
    queue.sort((a, b) => a.nonce - b.nonce)
    const first = account(next, queue[0].signed.transaction.from).nonce
    queue.forEach((e, i) => { if (e.nonce !== first + i) idle.add(e) })
  }
  const pots = new Map<Hex, Pot | undefined>()
  for (const e of bestFirst) {
    if (idle.has(e) || e.signed.transaction.action.selector !== ACTION_REDEEM || claim(next, pots, e.signed)) continue
    // What is behind it has to wait for another of its nonce.
    for (const behind of queues.get(e.from)!) if (behind.nonce >= e.nonce) idle.add(behind)
  }
  return idle
}

/** Whether all its receipts can be paid still; then they are. */
function claim (next: LedgerState, pots: Map<Hex, Pot | undefined>, { transaction: { from: to, action: { value } } }: SignedTransaction): boolean {
  const changed = new Map<Hex, Pot | undefined>()
  for (const { from, infoHash, bytes } of value !== null && 'receipts' in value ? value.receipts : []) {
    const name = toHex(from)
    const pot = changed.has(name) ? changed.get(name) : pots.has(name) ? pots.get(name) : next.seeding.redeemable.get(from)
    const claimed = claimOf(pot, to, { infoHash, bytes })
    if (pot === undefined || typeof claimed === 'string') return false
    const mark = { to, infoHash, bytes }
    const left = pot.left - claimed.taken
    changed.set(name, left === 0n ? undefined : { left, paid: claimed.at === -1 ? [...pot.paid, mark] : pot.paid.map((p, i) => i === claimed.at ? mark : p) })
  }
  for (const [name, pot] of changed) pots.set(name, pot)
  return true
}
