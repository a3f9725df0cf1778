/**
 * The wallet of a profile: one seed for all its tabs, in a database of its own, so that clearing a
 * node's data never takes the key. It is made in one transaction: of tabs that open at once, one
 * writes and the others read what it wrote. Where the browser has lost that database, it comes from its second copy.
 */
import type { DBSchema, IDBPDatabase } from 'idb'
import { equalBytes } from '../core/codec/ssz.ts'
import { SEED_BYTES } from '../core/crypto/keys.ts'
import type { Random } from '../ports/clock.ts'
import { StorageError } from '../ports/storage.ts'
import { gone, toStorageError } from './failures.ts'
import { openSteadily } from './steadyOpen.ts'
import { readCopy, removeCopy, type WalletRecord, writeCopy } from './walletCopy.ts'

export interface Wallet {
  /** Ed25519 seed, 32 bytes, as it was when the wallet was opened. */
  readonly seed: Uint8Array
  /** The user has saved a backup of this seed. */
  readonly backedUp: boolean
  /** The database had lost it: it is from its second copy. */
  readonly restored: boolean
  /** Its second copy is there, and as it should be. False: it could not be written, or cannot be read now. */
  readonly copied: boolean
  setBackedUp(): Promise<void>
  /** Puts an imported seed in place of this one; tabs use it from their next start. */
  replace(seed: Uint8Array): Promise<void>
  /** Another seed is in its place now. Throws StorageError. */
  replaced(): Promise<boolean>
}

interface WalletSchema extends DBSchema {
  wallet: { key: 'wallet', value: WalletRecord }
}

const DATABASE = 'commonweight-wallet'
const VERSION = 1

function checkSeed (seed: Uint8Array): Uint8Array {
  if (seed.length !== SEED_BYTES) throw new TypeError(`a seed is ${SEED_BYTES} bytes, got ${seed.length}`)
  return new Uint8Array(seed)
}

const isSound = (record: WalletRecord): boolean => record.seed instanceof Uint8Array && record.seed.length === SEED_BYTES && typeof record.backedUp === 'boolean'

/** Reads the wallet and writes what `change` makes of it (undefined: nothing), in one transaction. `copy`: what is taken for one that cannot be read. */
async function update (db: IDBPDatabase<WalletSchema>, change: (old: WalletRecord | undefined) => WalletRecord | undefined, copy?: WalletRecord): Promise<WalletRecord> {
  const tx = db.transaction('wallet', 'readwrite', { durability: 'strict' })
  try {
    const stored = await tx.store.get('wallet')
    const isBroken = stored !== undefined && !isSound(stored)
    if (isBroken && copy === undefined) throw new StorageError('corrupt', 'the wallet of this profile cannot be read')
    const old = isBroken ? undefined : stored
    const next = change(old)
    if (next !== undefined) tx.store.put(next, 'wallet').catch(() => {})
    await tx.done
    const now = next ?? old
    if (now === undefined) throw gone('the wallet of this profile was deleted')
    return now
  } catch (error) {
    tx.done.catch(() => {})
    throw toStorageError(error)
  }
}

/** Opens the profile's wallet; the first to open it makes its seed. Throws StorageError. */
export async function openWallet (random: Random): Promise<Wallet> {
  if (typeof indexedDB === 'undefined') throw gone('this browser has no IndexedDB, or refuses it here')
  // Connections are short: none is left open to block the deletion of the site's data.
  const withDatabase = async <T> (work: (db: IDBPDatabase<WalletSchema>) => Promise<T>): Promise<T> => {
    let db: IDBPDatabase<WalletSchema>
    try {
      db = await openSteadily<WalletSchema>(DATABASE, VERSION, { upgrade: fresh => { fresh.createObjectStore('wallet') } })
    } catch (error) {
      throw toStorageError(error)
    }
    try {
      return await work(db)
    } finally {
      db.close()
    }
  }
  const found = await readCopy()
  const copy = found.kind === 'copy' ? found.record : undefined
  const candidate = copy ?? { seed: checkSeed(random.bytes(SEED_BYTES)), backedUp: false }
  let restored = false
  const now = await withDatabase(db => update(db, old => {
    if (old === undefined && found.kind === 'unreadable') throw new StorageError('corrupt', `the wallet is not in its database, and its second copy cannot be read now (${found.why}): close all tabs of this page and open it again, and do not clear its data`)
    restored = old === undefined && copy !== undefined
    return old === undefined ? candidate : undefined
  }, copy))
  const { seed, backedUp } = now
  const isStale = found.kind === 'none' || (copy !== undefined && (copy.backedUp !== backedUp || !equalBytes(copy.seed, seed)))
  const copied = found.kind !== 'unreadable' && (!isStale || await writeCopy(now))
  const isSame = (record: WalletRecord | undefined): boolean => record !== undefined && equalBytes(record.seed, seed)
  return {
    seed,
    backedUp,
    restored,
    copied,
    // A backup of this seed says nothing about another one that a second tab has put in its place.
    setBackedUp: async () => {
      const kept = await withDatabase(db => update(db, old => isSame(old) ? { seed, backedUp: true } : undefined))
      await writeCopy(kept)
    },
    // Whoever imports a seed has its backup.
    replace: async next => {
      const record = { seed: checkSeed(next), backedUp: true }
      await withDatabase(db => update(db, () => record))
      // The old one must not come back in its place.
      if (!await writeCopy(record)) await removeCopy()
    },
    replaced: async () => await withDatabase(async db => {
      try {
        const stored = await db.get('wallet', 'wallet')
        return stored !== undefined && isSound(stored) && !isSame(stored)
      } catch (error) {
        throw toStorageError(error)
      }
    })
  }
}
