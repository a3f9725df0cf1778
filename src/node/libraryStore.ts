/**
 * The library on disk, all in one store:
 *   item/<infohash>                    what is followed: its .torrent, its note, what the user wants
 *   receipt/in/<infohash>/<from>/<epoch>    signed for us; receipt/out/... signed by us, by their reader
 *   settings                           JSON
 * A receipt is written a moment later, the newest of its kind only: a crash costs a second's worth.
 */
import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz'
import type { FieldError, LibrarySettings } from '../bridge/api.ts'
import { formatAmount } from '../core/codec/amount.ts'
import { SignedNote, SignedReceipt } from '../core/codec/library.ts'
import { BUDGET_MAX, BUDGET_MIN, LIMIT_MAX, SET_ASIDE_MAX } from '../core/codec/libraryLimits.ts'
import { byteList, decode, toHex, U53, U8 } from '../core/codec/ssz.ts'
import { REDEEM_BYTES_LEAST } from '../core/params.ts'
import { MAX_METAINFO_BYTES } from '../core/torrent/metainfo.ts'
import type { Clock } from '../ports/clock.ts'
import { type Storage, StorageError, type StorageOp } from '../ports/storage.ts'
import type { InfoHash } from '../ports/swarm.ts'
import type { Hex, Log } from './parts.ts'

const FLUSH_MS = 2_000
/** Receipts kept of each direction. Those too small to be redeemed go first, then those of the oldest epochs: keys are free, and a byte each must not drive out what pays. */
export const RECEIPTS_KEPT = 4096
const RECEIPT_BYTES = 256

/**
 * Who a set is here for. What the node has for its own work goes first where room is needed; what the user has
 * fetched makes room only for what he fetches next; what he shares himself goes only where he says so.
 */
export const WHOSE = { node: 0, shared: 1, fetched: 2 } as const
export type Whose = typeof WHOSE[keyof typeof WHOSE]

/** A set that is followed. */
export const ItemRecord = new ContainerType({
  /** The .torrent; empty while only its name is known. */
  torrent: byteList(MAX_METAINFO_BYTES),
  note: new ListCompositeType(SignedNote, 1),
  /** What a magnet link called it; UTF-8. */
  name: byteList(256),
  /** 1: the user has paused it. */
  paused: U8,
  /** Who it is here for: `WHOSE`. */
  whose: U8,
  addedAt: U53,
  usedAt: U53
})
export type ItemRecord = ValueOf<typeof ItemRecord>
const ITEM_BYTES = MAX_METAINFO_BYTES + 4096

export const DEFAULT_SETTINGS: LibrarySettings = { budget: 2 * 1024 ** 3, upLimit: 0, downLimit: 0, redeem: true, setAside: 0 }

type Loose = Partial<Record<keyof LibrarySettings, unknown>>

/** What was stored before there was pay says nothing of it. */
const withPay = (v: Loose): Loose => ({ ...v, redeem: v.redeem ?? DEFAULT_SETTINGS.redeem, setAside: v.setAside ?? DEFAULT_SETTINGS.setAside })

/** Which values are none, each by its name and in the units that people are shown. */
export function settingsErrors (v: Loose): readonly FieldError[] {
  const { budget, upLimit, downLimit, redeem, setAside } = withPay(v)
  const errors: FieldError[] = []
  const whole = (field: keyof LibrarySettings, n: unknown, low: number, high: number, message: string): void => {
    if (!Number.isInteger(n) || (n as number) < low || (n as number) > high) errors.push({ field, message })
  }
  whole('budget', budget, BUDGET_MIN, BUDGET_MAX, `the library may keep ${BUDGET_MIN / 1024 ** 2} MiB to ${BUDGET_MAX / 1024 ** 3} GiB`)
  const limit = `a limit is at most ${Math.floor(LIMIT_MAX / 1_000_000)} MB per second; 0 is no limit`
  whole('upLimit', upLimit, 0, LIMIT_MAX, limit)
  whole('downLimit', downLimit, 0, LIMIT_MAX, limit)
  whole('setAside', setAside, 0, SET_ASIDE_MAX, `at most ${formatAmount(BigInt(SET_ASIDE_MAX))} credits are set aside in an epoch`)
  if (typeof redeem !== 'boolean') errors.push({ field: 'redeem', message: 'receipts are redeemed by themselves, or they are not: true or false' })
  return errors
}

/** Undefined where a value is none. */
export function settingsOf (v: Loose): LibrarySettings | undefined {
  if (settingsErrors(v).length > 0) return undefined
  const { budget, upLimit, downLimit, redeem, setAside } = withPay(v) as LibrarySettings
  return { budget, upLimit, downLimit, redeem, setAside }
}

function parseSettings (bytes: Uint8Array): LibrarySettings | undefined {
  let value: unknown
  try { value = JSON.parse(new TextDecoder().decode(bytes)) } catch { return undefined }
  return typeof value === 'object' && value !== null ? settingsOf(value) : undefined
}

const receiptKey = (kind: 'in' | 'out', { receipt }: SignedReceipt): string =>
  `receipt/${kind}/${toHex(receipt.infoHash)}/${toHex(kind === 'in' ? receipt.from : receipt.to)}/${receipt.epoch.toString(16).padStart(8, '0')}`

function isWorthLess ({ receipt: a }: SignedReceipt, { receipt: b }: SignedReceipt): boolean {
  const pays = a.bytes >= REDEEM_BYTES_LEAST
  return pays === b.bytes >= REDEEM_BYTES_LEAST ? a.epoch < b.epoch : !pays
}

export class LibraryStore {
  readonly #storage: Storage
  readonly #clock: Pick<Clock, 'after'>
  readonly #log: Log
  readonly #receipts = { in: new Map<string, SignedReceipt>(), out: new Map<string, SignedReceipt>() }
  readonly #dirty = new Map<string, SignedReceipt>()
  readonly #sums = { in: 0, out: 0 }
  #cancel: (() => void) | undefined

  constructor (d: { readonly storage: Storage, readonly clock: Pick<Clock, 'after'>, readonly log: Log }) {
    this.#storage = d.storage
    this.#clock = d.clock
    this.#log = d.log
  }

  /** What is wrong with settings that are to take the place of `old`. A budget that the browser has no room for would be a promise that it breaks when the disk is full. */
  async errors (next: LibrarySettings, old: LibrarySettings): Promise<readonly FieldError[]> {
    const errors = settingsErrors(next)
    if (errors.length > 0 || next.budget === old.budget) return errors
    const quota = await this.#quota()
    return quota === undefined || next.budget <= quota ? [] : [{ field: 'budget', message: `the browser gives this page ${(Math.floor(quota / 1024 ** 2) / 1024).toFixed(2)} GiB in all, for all its tabs: allow no more than that, or free some space on this device` }]
  }

  /** Undefined where the browser does not tell. */
  async #quota (): Promise<number | undefined> {
    try {
      return (await this.#storage.usage()).quota
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      return undefined
    }
  }

  async start (): Promise<{ readonly settings: LibrarySettings, readonly items: ReadonlyArray<readonly [InfoHash, ItemRecord]> }> {
    for (const kind of ['in', 'out'] as const) {
      for (const [key, value] of await this.#storage.range('library', { from: `receipt/${kind}/`, to: `receipt/${kind}0` })) {
        const d = decode(SignedReceipt, value, RECEIPT_BYTES)
        if (d.ok) this.#keep(kind, d.value)
        else this.#log.warn('library', `a stored receipt is damaged: ${key}`)
      }
    }
    const items: Array<readonly [InfoHash, ItemRecord]> = []
    for (const [key, value] of await this.#storage.range('library', { from: 'item/', to: 'item0' })) {
      const d = decode(ItemRecord, value, ITEM_BYTES)
      if (d.ok && /^item\/[0-9a-f]{40}$/.test(key)) items.push([key.slice(5), d.value])
      else this.#log.warn('library', `what was stored of ${key.slice(0, 60)} is damaged`)
    }
    const stored = await this.#storage.get('library', 'settings')
    const settings = stored === undefined ? undefined : parseSettings(stored)
    if (stored !== undefined && settings === undefined) this.#log.warn('library', 'stored settings are damaged')
    return { settings: settings ?? DEFAULT_SETTINGS, items }
  }

  async stop (): Promise<void> {
    this.#cancel?.()
    await this.#flush()
  }

  async putItem (infoHash: InfoHash, record: ItemRecord): Promise<void> { await this.#commit([{ op: 'put', store: 'library', key: `item/${infoHash}`, value: ItemRecord.serialize(record) }]) }
  async deleteItem (infoHash: InfoHash): Promise<void> { await this.#commit([{ op: 'delete', store: 'library', key: `item/${infoHash}` }]) }
  async putSettings (s: LibrarySettings): Promise<void> { await this.#commit([{ op: 'put', store: 'library', key: 'settings', value: new TextEncoder().encode(JSON.stringify(s)) }]) }

  /** Bytes of all receipts kept. */
  sum (kind: 'in' | 'out'): number { return this.#sums[kind] }

  receiptsIn (): Iterable<SignedReceipt> { return this.#receipts.in.values() }

  /** Signed for us by this key for this torrent, of the newest epoch. */
  async newest (from: Hex, infoHash: InfoHash): Promise<SignedReceipt | undefined> {
    let newest: SignedReceipt | undefined
    for (const r of this.#receipts.in.values()) {
      if (toHex(r.receipt.from) === from && toHex(r.receipt.infoHash) === infoHash && (newest === undefined || r.receipt.epoch > newest.receipt.epoch)) newest = r
    }
    return newest
  }

  async put (kind: 'in' | 'out', receipt: SignedReceipt): Promise<void> {
    const key = this.#keep(kind, receipt)
    if (key !== undefined) this.#dirty.set(key, receipt)
    this.#cancel ??= this.#clock.after(FLUSH_MS, () => {
      this.#cancel = undefined
      void this.#flush()
    })
  }

  #keep (kind: 'in' | 'out', receipt: SignedReceipt): string | undefined {
    const key = receiptKey(kind, receipt)
    const kept = this.#receipts[kind]
    // Two tabs of one account count on their own, and only the larger count is worth something.
    if (kept.get(key) !== undefined && kept.get(key)!.receipt.bytes > receipt.receipt.bytes) return undefined
    this.#sums[kind] += receipt.receipt.bytes - (kept.get(key)?.receipt.bytes ?? 0)
    kept.set(key, receipt)
    if (kept.size > RECEIPTS_KEPT) {
      let oldest: readonly [string, SignedReceipt] | undefined
      for (const entry of kept) if (oldest === undefined || isWorthLess(entry[1], oldest[1])) oldest = entry
      kept.delete(oldest![0])
      this.#dirty.delete(oldest![0])
      void this.#commit([{ op: 'delete', store: 'library', key: oldest![0] }])
    }
    return key
  }

  async #flush (): Promise<void> {
    const ops: StorageOp[] = [...this.#dirty].map(([key, r]) => ({ op: 'put', store: 'library', key, value: SignedReceipt.serialize(r) }))
    this.#dirty.clear()
    if (ops.length > 0) await this.#commit(ops)
  }

  async #commit (ops: readonly StorageOp[]): Promise<void> {
    try {
      await this.#storage.commit(ops)
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#log.warn('library', `not stored (${e.kind}): ${e.message}`)
    }
  }
}
