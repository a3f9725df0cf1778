/** Pots and counters of docs/protocol.md, section 10.7, as plainly as they can be written. */
import { bytesOf, type Hex, hexOf } from './bytes.ts'
import { COUNTER_HALVING_EPOCHS, MAX_RECEIPTS_PER_POT, REDEEM_BYTES_LEAST, SEED_BURN_SHARE, SEED_PRICE_PER_MIB } from './numbers.ts'
import type { Finding } from './violations.ts'
import type { Redeem } from './wire.ts'

interface Mark { readonly to: Hex, readonly infoHash: Hex, bytes: number }
interface Pot { left: bigint, marks: Mark[] }
interface Counters { bytes: bigint, leechers: number, sets: number }

export interface PotRow { readonly key: Uint8Array, readonly left: bigint, readonly paid: ReadonlyArray<{ readonly to: Uint8Array, readonly infoHash: Uint8Array, readonly bytes: number }> }
export interface SeederRow extends Counters { readonly key: Uint8Array }

const sorted = <T>(map: ReadonlyMap<Hex, T>): Array<readonly [Hex, T]> => [...map].sort(([x], [y]) => x < y ? -1 : 1)
export const potRows = (pots: ReadonlyMap<Hex, Pot>): PotRow[] => sorted(pots).map(([key, { left, marks }]) =>
  ({ key: bytesOf(key), left, paid: marks.map(m => ({ to: bytesOf(m.to), infoHash: bytesOf(m.infoHash), bytes: m.bytes })) }))
export const seederRows = (seeders: ReadonlyMap<Hex, Counters>): SeederRow[] => sorted(seeders).map(([key, c]) => ({ key: bytesOf(key), ...c }))

const copyPots = (pots: ReadonlyMap<Hex, Pot>): Map<Hex, Pot> => new Map([...pots].map(([key, { left, marks }]) => [key, { left, marks: marks.map(m => ({ ...m })) }]))

export class Seeding {
  /** Of the epoch that runs. */
  open = new Map<Hex, Pot>()
  /** Of the epoch before. */
  redeemable = new Map<Hex, Pot>()
  seeders = new Map<Hex, Counters>()

  copy (): Seeding {
    const next = new Seeding()
    next.open = copyPots(this.open)
    next.redeemable = copyPots(this.redeemable)
    for (const [key, c] of this.seeders) next.seeders.set(key, { ...c })
    return next
  }

  setAside (key: Hex, grains: bigint): void {
    const pot = this.open.get(key) ?? { left: 0n, marks: [] }
    pot.left += grains
    this.open.set(key, pot)
  }

  /** At block `height`: who gets what back. */
  turn (epochBlocks: number, height: number): Array<readonly [Hex, bigint]> {
    if (height % epochBlocks !== 0) return []
    const back = [...this.redeemable].map(([key, { left }]) => [key, left] as const)
    this.redeemable = this.open
    this.open = new Map()
    if (height / epochBlocks % COUNTER_HALVING_EPOCHS === 0) {
      for (const [key, c] of this.seeders) {
        const half = { bytes: c.bytes / 2n, leechers: Math.floor(c.leechers / 2), sets: Math.floor(c.sets / 2) }
        if (half.bytes === 0n && half.leechers === 0 && half.sets === 0) this.seeders.delete(key)
        else this.seeders.set(key, half)
      }
    }
    return back
  }

  /** What `to` gets and what is destroyed, or the first rule that is broken. */
  redeem (epochBlocks: number, height: number, to: Hex, { epoch, receipts }: Redeem): { readonly paid: bigint, readonly burned: bigint } | { readonly wrong: Finding } {
    if (epoch !== Math.floor(height / epochBlocks) - 1) return { wrong: ['redeem-epoch', `of epoch ${epoch} at ${height}`] }
    if (receipts.length === 0) return { wrong: ['redeem-none', to] }
    let paid = 0n
    let burned = 0n
    for (const r of receipts) {
      const from = hexOf(r.from)
      const infoHash = hexOf(r.infoHash)
      if (from === to) return { wrong: ['redeem-self', to] }
      const pot = this.redeemable.get(from)
      if (pot === undefined) return { wrong: ['redeem-pot', from] }
      let mark = pot.marks.find(m => m.to === to && m.infoHash === infoHash)
      if (mark === undefined && pot.marks.length === MAX_RECEIPTS_PER_POT) return { wrong: ['redeem-full', from] }
      const bytes = r.bytes - (mark?.bytes ?? 0)
      if (bytes < REDEEM_BYTES_LEAST || r.bytes >= 2 ** 53) return { wrong: ['redeem-bytes', `${bytes} more`] }
      const full = BigInt(bytes) * SEED_PRICE_PER_MIB / 1_048_576n
      const taken = full > pot.left ? pot.left : full
      const lost = taken * SEED_BURN_SHARE % 256n === 0n ? taken * SEED_BURN_SHARE / 256n : taken * SEED_BURN_SHARE / 256n + 1n
      if (taken === lost) return { wrong: ['redeem-pot', from] }
      const c = this.seeders.get(to) ?? { bytes: 0n, leechers: 0, sets: 0 }
      c.bytes += taken * 1_048_576n / SEED_PRICE_PER_MIB
      if (!pot.marks.some(m => m.to === to)) c.leechers++
      if (mark === undefined) {
        c.sets++
        mark = { to, infoHash, bytes: 0 }
        pot.marks.push(mark)
      }
      mark.bytes = r.bytes
      this.seeders.set(to, c)
      pot.left -= taken
      if (pot.left === 0n) this.redeemable.delete(from)
      paid += taken - lost
      burned += lost
    }
    return { paid, burned }
  }
}
