/**
 * What the ledger keeps about seeding: pots, out of which those who get bytes pay those who send them,
 * and counters of what was paid for. Two tables of pots, this epoch's and the last one's, so nothing is
 * older than two epochs, and an epoch ends without a look at what is in them but to give back the rest.
 */
import { ContainerType, ListCompositeType } from '@chainsafe/ssz'
import { Bytes20, Bytes32, compareBytes, equalBytes, U32, U53, U64 } from '../codec/ssz.ts'
import { hash, u32le, u64le } from '../crypto/hash.ts'
import { MerkleMap, type MerkleValue } from '../crypto/merkleMap.ts'
import { MAX_RECEIPTS_PER_POT, REDEEM_BYTES_LEAST } from '../params.ts'

/** A receipt that was paid: for so many bytes it is not paid again. */
export interface Paid {
  readonly to: Uint8Array
  readonly infoHash: Uint8Array
  readonly bytes: number
}

/** What one account has set aside in one epoch. */
export interface Pot {
  /** Grains; never zero, for an emptied pot is gone. */
  readonly left: bigint
  /** In the order in which they were paid first. */
  readonly paid: readonly Paid[]
}

/** Of one key, halved every COUNTER_HALVING_EPOCHS; every bit of it has cost somebody burned grains. */
export interface Seeder {
  /** Bytes that were paid for. */
  readonly bytes: bigint
  /** Accounts that paid, each once per epoch. */
  readonly leechers: number
  /** Torrents that an account paid for, each once per account and epoch. */
  readonly sets: number
}

export interface Seeding {
  /** This epoch's pots, by who set them aside: nothing is paid out of them yet. */
  readonly setAside: MerkleMap<Pot>
  /** The last epoch's. */
  readonly redeemable: MerkleMap<Pot>
  readonly seeders: MerkleMap<Seeder>
}

const PaidBytes = new ContainerType({ to: Bytes32, infoHash: Bytes20, bytes: U53 })
const PaidList = new ListCompositeType(PaidBytes, MAX_RECEIPTS_PER_POT)
const PotBytes = new ContainerType({ key: Bytes32, left: U64, paid: PaidList })
const SeederBytes = new ContainerType({ key: Bytes32, bytes: U64, leechers: U32, sets: U32 })

/** As many as could be set aside, or be paid, in the blocks of some epochs. */
const MAX_POTS = 1 << 17
const MAX_SEEDERS = 1 << 20

export const SeedingBytes = new ContainerType({
  setAside: new ListCompositeType(PotBytes, MAX_POTS),
  redeemable: new ListCompositeType(PotBytes, MAX_POTS),
  seeders: new ListCompositeType(SeederBytes, MAX_SEEDERS)
})

const POT_VALUE: MerkleValue<Pot> = { encode: p => PaidList.serialize([...p.paid]), amount: p => p.left }
export const NO_POTS = MerkleMap.empty<Pot>(POT_VALUE)
const SEEDER_VALUE: MerkleValue<Seeder> = { encode: s => hash('seeder', u64le(s.bytes), u32le(s.leechers), u32le(s.sets)), amount: () => 0n }
const NO_SEEDERS = MerkleMap.empty<Seeder>(SEEDER_VALUE)

export const NO_SEEDING: Seeding = { setAside: NO_POTS, redeemable: NO_POTS, seeders: NO_SEEDERS }

export const NO_COUNTERS: Seeder = { bytes: 0n, leechers: 0, sets: 0 }

export const seedingSum = (s: Seeding): bigint => s.setAside.sum + s.redeemable.sum

export const seedingRoot = (s: Seeding): Uint8Array =>
  hash('seeding', s.setAside.root, u64le(s.setAside.sum), s.redeemable.root, u64le(s.redeemable.sum), s.seeders.root)

export function withSeeder (seeders: Seeding['seeders'], key: Uint8Array, s: Seeder): Seeding['seeders'] {
  return s.bytes === 0n && s.leechers === 0 && s.sets === 0 ? seeders.delete(key) : seeders.set(key, s)
}

export function halved (seeders: Seeding['seeders']): Seeding['seeders'] {
  let next = NO_SEEDERS
  for (const [key, s] of seeders.entries()) next = withSeeder(next, key, { bytes: s.bytes >> 1n, leechers: s.leechers >>> 1, sets: s.sets >>> 1 })
  return next
}

export const seedingFitsReaders = (s: Seeding): boolean => s.setAside.size <= MAX_POTS && s.redeemable.size <= MAX_POTS && s.seeders.size <= MAX_SEEDERS

const potRows = (pots: MerkleMap<Pot>): Array<{ key: Uint8Array, left: bigint, paid: Paid[] }> =>
  Array.from(pots.entries(), ([key, p]) => ({ key, left: p.left, paid: [...p.paid] }))

type SeedingRows = ReturnType<typeof SeedingBytes.deserialize>

export const seedingToBytes = (s: Seeding): SeedingRows => ({
  setAside: potRows(s.setAside),
  redeemable: potRows(s.redeemable),
  seeders: Array.from(s.seeders.entries(), ([key, v]) => ({ key, ...v }))
})

/** What cannot have come about, in words. */
export function seedingFromBytes (rows: SeedingRows): Seeding | string {
  for (const list of [rows.setAside, rows.redeemable, rows.seeders]) {
    for (let i = 1; i < list.length; i++) if (compareBytes(list[i - 1].key, list[i].key) >= 0) return 'pots or seeders are not in ascending key order'
  }
  const pots = (list: SeedingRows['redeemable']): MerkleMap<Pot> => MerkleMap.fromSorted<Pot>(POT_VALUE, list.map(({ key, left, paid }) => [key, { left, paid }]))
  for (const { key, left, paid } of [...rows.setAside, ...rows.redeemable]) {
    if (left === 0n) return 'an empty pot is listed'
    if (paid.some(p => !(p.bytes >= REDEEM_BYTES_LEAST) || !Number.isSafeInteger(p.bytes) || equalBytes(p.to, key))) return 'a pot has paid what none pays'
    if (paid.some((p, i) => paid.findIndex(q => equalBytes(q.to, p.to) && equalBytes(q.infoHash, p.infoHash)) !== i)) return 'a pot has paid one receipt twice'
  }
  if (rows.setAside.some(p => p.paid.length > 0)) return 'a pot has paid before its epoch was over'
  for (const { bytes, leechers, sets } of rows.seeders) {
    if (bytes === 0n && leechers === 0 && sets === 0) return 'a seeder of nothing is listed'
    // One that pays is a set that was asked for, and halves keep the order.
    if (leechers > sets) return 'a seeder has more leechers than sets they asked for'
  }
  const seeders = MerkleMap.fromSorted(SEEDER_VALUE, rows.seeders.map(({ key, bytes, leechers, sets }) => [key, { bytes, leechers, sets }]))
  return { setAside: pots(rows.setAside), redeemable: pots(rows.redeemable), seeders }
}
