/**
 * The rules of pay for seeding. Whoever gets bytes may set grains aside for an epoch; in the next one
 * the receipts that it signed take a fixed price out of that pot, and of no other money: an eighth of it
 * is destroyed, the rest is the sender's, and what nobody claimed goes back. Keys are free, so nothing
 * here asks whether two of them have one owner: his receipts to himself move his own grains, less an
 * eighth. docs/security.md, section 5, has the game.
 */
import { equalBytes } from '../codec/ssz.ts'
import type { RedeemedReceipt } from '../codec/wire.ts'
import { COUNTER_HALVING_EPOCHS, MAX_RECEIPTS_PER_POT, REDEEM_BYTES_LEAST, SEED_BURN_SHARE, SEED_PRICE_PER_MIB } from '../params.ts'
import { halved, NO_COUNTERS, NO_POTS, type Paid, type Pot, withSeeder } from './pots.ts'
import { credit, type LedgerState } from './state.ts'

const MIB_BITS = 20n

export const REDEEM_REASONS = ['redeem-epoch', 'redeem-none', 'redeem-self', 'redeem-pot', 'redeem-bytes', 'redeem-full'] as const
export type RedeemReason = typeof REDEEM_REASONS[number]

export const epochAt = (height: number, epochBlocks: number): number => Math.floor(height / epochBlocks)

export interface Returned { readonly account: Uint8Array, readonly amount: bigint }

/** At the first block of an epoch: what was not claimed goes back, what was set aside can be claimed. */
export function turnEpoch (ledger: LedgerState, epochBlocks: number): { readonly ledger: LedgerState, readonly returned: readonly Returned[] } {
  if (ledger.height % epochBlocks !== 0) return { ledger, returned: [] }
  const { seeding } = ledger
  const returned = Array.from(seeding.redeemable.entries(), ([account, pot]) => ({ account, amount: pot.left }))
  let next: LedgerState = {
    ...ledger,
    seeding: {
      setAside: NO_POTS,
      redeemable: seeding.setAside,
      seeders: epochAt(ledger.height, epochBlocks) % COUNTER_HALVING_EPOCHS === 0 ? halved(seeding.seeders) : seeding.seeders
    }
  }
  for (const r of returned) next = credit(next, r.account, r.amount)
  return { ledger: next, returned }
}

/** `amount` has left the account. */
export function addToPot (ledger: LedgerState, key: Uint8Array, amount: bigint): LedgerState {
  const { seeding } = ledger
  const left = (seeding.setAside.get(key)?.left ?? 0n) + amount
  return { ...ledger, seeding: { ...seeding, setAside: seeding.setAside.set(key, { left, paid: [] }) } }
}

/** What a receipt takes out of a pot. */
export interface Claimed {
  /** Index of its mark in the pot; -1: it has none yet. */
  readonly at: number
  /** Grains that leave the pot, those of them that are destroyed, and those that the sender gets. */
  readonly taken: bigint
  readonly burned: bigint
  readonly pay: bigint
  /** Bytes that this pays for. */
  readonly bytes: bigint
}

/** Of a receipt for `to`; a reason where it takes nothing. Whether it is signed is the caller's to check. */
export function claimOf (pot: Pot | undefined, to: Uint8Array, receipt: Pick<RedeemedReceipt, 'infoHash' | 'bytes'>): Claimed | RedeemReason {
  if (pot === undefined) return 'redeem-pot'
  const at = pot.paid.findIndex(p => equalBytes(p.to, to) && equalBytes(p.infoHash, receipt.infoHash))
  if (at === -1 && pot.paid.length >= MAX_RECEIPTS_PER_POT) return 'redeem-full'
  const more = receipt.bytes - (at === -1 ? 0 : pot.paid[at].bytes)
  if (!(more >= REDEEM_BYTES_LEAST) || !Number.isSafeInteger(receipt.bytes)) return 'redeem-bytes'
  const price = (BigInt(more) * SEED_PRICE_PER_MIB) >> MIB_BITS
  const taken = price < pot.left ? price : pot.left
  const burned = (taken * SEED_BURN_SHARE + 255n) / 256n
  // What is left of a pot may be a grain or two: an entry for nothing.
  if (burned >= taken) return 'redeem-pot'
  return { at, taken, burned, pay: taken - burned, bytes: (taken << MIB_BITS) / SEED_PRICE_PER_MIB }
}

export interface RedeemRefused { readonly ok: false, readonly reason: RedeemReason, readonly detail: string }
export interface Redeemed {
  readonly ok: true
  readonly ledger: LedgerState
  /** Per receipt, in their order. */
  readonly paid: ReadonlyArray<{ readonly from: Uint8Array, readonly amount: bigint }>
}

const WHY: Readonly<Record<RedeemReason, string>> = {
  'redeem-epoch': 'receipts are redeemed in the epoch after theirs',
  'redeem-none': 'there is no receipt in it',
  'redeem-self': 'a receipt of oneself',
  'redeem-pot': 'who signed it has nothing left that was set aside for that epoch',
  'redeem-bytes': `it names fewer than ${REDEEM_BYTES_LEAST} bytes beyond what it was paid for`,
  'redeem-full': `${MAX_RECEIPTS_PER_POT} receipts of that pot were paid`
}

/** `to` hands in receipts made out to it. */
export function redeem (ledger: LedgerState, epochBlocks: number, to: Uint8Array, epoch: number, receipts: readonly RedeemedReceipt[]): Redeemed | RedeemRefused {
  const refused = (reason: RedeemReason): RedeemRefused => ({ ok: false, reason, detail: WHY[reason] })
  if (epoch + 1 !== epochAt(ledger.height, epochBlocks)) return refused('redeem-epoch')
  if (receipts.length === 0) return refused('redeem-none')
  let { redeemable, seeders } = ledger.seeding
  let counters = seeders.get(to) ?? NO_COUNTERS
  let burned = 0n
  const paid: Array<{ readonly from: Uint8Array, readonly amount: bigint }> = []
  for (const receipt of receipts) {
    if (equalBytes(receipt.from, to)) return refused('redeem-self')
    const pot = redeemable.get(receipt.from)
    const claim = claimOf(pot, to, receipt)
    if (typeof claim === 'string') return refused(claim)
    const known = pot!.paid
    const mark: Paid = { to, infoHash: receipt.infoHash, bytes: receipt.bytes }
    counters = {
      bytes: counters.bytes + claim.bytes,
      leechers: counters.leechers + (known.some(p => equalBytes(p.to, to)) ? 0 : 1),
      sets: counters.sets + (claim.at === -1 ? 1 : 0)
    }
    const left = pot!.left - claim.taken
    redeemable = left === 0n
      ? redeemable.delete(receipt.from)
      : redeemable.set(receipt.from, { left, paid: claim.at === -1 ? [...known, mark] : known.map((p, i) => i === claim.at ? mark : p) })
    burned += claim.burned
    paid.push({ from: receipt.from, amount: claim.pay })
  }
  seeders = withSeeder(seeders, to, counters)
  const sum = paid.reduce((n, p) => n + p.amount, 0n)
  const next: LedgerState = { ...ledger, burned: ledger.burned + burned, seeding: { ...ledger.seeding, redeemable, seeders } }
  return { ok: true, ledger: credit(next, to, sum), paid }
}
