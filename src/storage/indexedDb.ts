/**
 * Storage on IndexedDB, in a window or a worker. One commit is one transaction with strict
 * durability: it resolves when the browser says the bytes have reached the disk.
 * Source: Indexed Database API 3.0, 2.7 (transactions) and 2.7.4 (durability hints).
 */
import type { IDBPDatabase } from 'idb'
import { STORES, StorageError, type RangeQuery, type Storage, type StorageOp, type StoreName } from '../ports/storage.ts'
import { gone, toStorageError } from './failures.ts'
import { migrate, SCHEMA_VERSION } from './migrations.ts'
import { checkStore, isEmptyQuery, snapshot } from './query.ts'
import { openSteadily } from './steadyOpen.ts'
import { folderBytes, UsageReader } from './usage.ts'

/**
 * Every commit takes this store along, which is read at a start and hardly ever after, so that no two of them are under
 * way at once, in whichever tab. Chromium lets two that share no store overlap, but where it is killed between them it
 * finds two claims to one database afterwards ("Invalid locks on disk", components/services/storage/indexed_db/scopes/
 * leveldb_scopes.cc), calls that damage, and deletes every database of the site, with the wallet.
 */
const TURN: StoreName = 'history'

/** How long another tab may keep an older version open before the wait is given up, ms. */
const BLOCKED_TIMEOUT_MS = 10_000

/** Opens the database of that name, made or brought up to date first. Throws StorageError. */
export async function openIndexedDb (name: string): Promise<Storage> {
  if (typeof indexedDB === 'undefined') throw gone('this browser has no IndexedDB, or refuses it here')
  let connection: IndexedDbStorage | undefined
  let giveUp: (error: StorageError) => void = () => {}
  let timer: ReturnType<typeof setTimeout> | undefined
  const opening = openSteadily(name, SCHEMA_VERSION, {
    upgrade: (db, oldVersion) => { migrate(db, oldVersion) },
    blocked: () => {
      timer = setTimeout(() => { giveUp(gone('another tab of this site keeps an older version of the database open: close it, then reload')) }, BLOCKED_TIMEOUT_MS)
    },
    // Another tab brings a later version, or the site's data is being deleted: let it.
    blocking: (_current, _blocked, event) => {
      connection?.lose('a later version of the app has taken over the database, or it was deleted: reload this tab')
      ;(event.target as IDBDatabase).close()
    },
    terminated: () => { connection?.lose('the browser closed the database') }
  })
  let db: IDBPDatabase
  try {
    db = await Promise.race([opening, new Promise<never>((_resolve, reject) => { giveUp = reject })])
  } catch (error) {
    // An open that still succeeds after it was given up must not block the tab that was waited for.
    opening.then(late => { late.close() }, () => {})
    throw toStorageError(error)
  } finally {
    clearTimeout(timer)
  }
  const missing = STORES.filter(store => !db.objectStoreNames.contains(store))
  if (missing.length > 0) {
    db.close()
    throw new StorageError('corrupt', `the database ${name} lacks ${missing.join(', ')}`)
  }
  connection = new IndexedDbStorage(db)
  return connection
}

function keyRange (query: RangeQuery): IDBKeyRange | undefined {
  const { from, to } = query
  if (from !== undefined && to !== undefined) return IDBKeyRange.bound(from, to, false, true)
  if (from !== undefined) return IDBKeyRange.lowerBound(from)
  if (to !== undefined) return IDBKeyRange.upperBound(to, true)
  return undefined
}

function bytesOf (store: StoreName, key: string, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new StorageError('corrupt', `${store}/${key} does not hold bytes`)
  return value
}

class IndexedDbStorage implements Storage {
  readonly #db: IDBPDatabase
  readonly #usage = new UsageReader()
  #lost: string | undefined

  constructor (db: IDBPDatabase) { this.#db = db }

  /** The connection is of no use any more, for this reason. */
  lose (why: string): void { this.#lost ??= why }

  /** Runs `work` on the open connection; every failure comes out as the port names it. */
  async #use<T> (work: (db: IDBPDatabase) => Promise<T>): Promise<T> {
    if (this.#lost !== undefined) throw gone(this.#lost)
    try {
      return await work(this.#db)
    } catch (error) {
      if (this.#lost !== undefined) throw gone(this.#lost)
      throw toStorageError(error)
    }
  }

  get (store: StoreName, key: string): Promise<Uint8Array | undefined> {
    return this.#use(async db => {
      checkStore(store)
      const value: unknown = await db.get(store, key)
      return value === undefined ? undefined : bytesOf(store, key, value)
    })
  }

  range (store: StoreName, query: RangeQuery = {}): Promise<Array<readonly [string, Uint8Array]>> {
    return this.#use(async db => {
      checkStore(store)
      if (isEmptyQuery(query)) return []
      const table = db.transaction(store).store
      const range = keyRange(query)
      if (query.reverse === true && query.limit !== undefined) {
        const found: Array<readonly [string, Uint8Array]> = []
        let cursor = await table.openCursor(range, 'prev')
        while (cursor !== null) {
          found.push([cursor.key as string, bytesOf(store, cursor.key as string, cursor.value)])
          if (found.length === query.limit) break
          cursor = await cursor.continue()
        }
        return found
      }
      // Two requests of one transaction see the same rows.
      const [keys, values] = await Promise.all([table.getAllKeys(range, query.limit), table.getAll(range, query.limit)])
      const found = keys.map((key, i) => [key as string, bytesOf(store, key as string, values[i])] as const)
      return query.reverse === true ? found.reverse() : found
    })
  }

  keys (store: StoreName, query: RangeQuery = {}): Promise<string[]> {
    return this.#use(async db => {
      checkStore(store)
      if (isEmptyQuery(query)) return []
      const table = db.transaction(store).store
      const range = keyRange(query)
      if (query.reverse === true && query.limit !== undefined) {
        const found: string[] = []
        let cursor = await table.openKeyCursor(range, 'prev')
        while (cursor !== null) {
          found.push(cursor.key as string)
          if (found.length === query.limit) break
          cursor = await cursor.continue()
        }
        return found
      }
      const found = await table.getAllKeys(range, query.limit) as string[]
      return query.reverse === true ? found.reverse() : found
    })
  }

  commit (ops: readonly StorageOp[]): Promise<void> {
    return this.#use(async db => {
      const changes = snapshot(ops)
      if (changes.length === 0) return
      const tx = db.transaction([...new Set([TURN, ...changes.map(op => op.store)])], 'readwrite', { durability: 'strict' })
      try {
        for (const op of changes) {
          const table = tx.objectStore(op.store)
          const request = op.op === 'put' ? table.put(op.value, op.key) : table.delete(op.key)
          // A request that fails aborts the transaction, whose own end is awaited below.
          request.catch(() => {})
        }
      } catch (error) {
        tx.done.catch(() => {})
        tx.abort()
        throw error
      }
      await tx.done
    })
  }

  usage (): ReturnType<Storage['usage']> {
    return this.#use(async () => {
      const [estimate, persisted] = await Promise.all([navigator.storage.estimate(), navigator.storage.persisted()])
      return { ...await this.#usage.read(estimate, async () => await folderBytes(await navigator.storage.getDirectory())), persisted }
    })
  }

  async close (): Promise<void> {
    this.lose('the storage is closed')
    this.#db.close()
  }
}
