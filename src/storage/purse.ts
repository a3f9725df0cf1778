/**
 * The purse of a profile: turns are a Web Lock, which the browser frees when a tab closes or crashes;
 * the bytes are in a database of their own, beside the wallet's, for no tab's data may take them along.
 */
import type { DBSchema, IDBPDatabase } from 'idb'
import type { Purse } from '../ports/purse.ts'
import { StorageError } from '../ports/storage.ts'
import { toStorageError } from './failures.ts'
import { openSteadily } from './steadyOpen.ts'

/** A turn takes as long as a write to the disk: one that has not come by then is held by a tab that stands still. */
export const TURN_MS = 10_000

/** The part of navigator.locks that is used. */
export interface TurnLocks {
  request (name: string, options: { readonly signal: AbortSignal }, held: () => Promise<void>): Promise<unknown>
}

interface PurseSchema extends DBSchema {
  purse: { key: string, value: Uint8Array }
}

const DATABASE = 'commonweight-purse'
const VERSION = 1

/** `name`: of the network and of the account. */
export function openPurse (locks: TurnLocks, name: string, turnMs = TURN_MS): Purse {
  // Connections are short: none is left open to block the deletion of the site's data.
  const withDatabase = async <T> (work: (db: IDBPDatabase<PurseSchema>) => Promise<T>): Promise<T> => {
    let db: IDBPDatabase<PurseSchema> | undefined
    try {
      db = await openSteadily<PurseSchema>(DATABASE, VERSION, { upgrade: fresh => { fresh.createObjectStore('purse') } })
      return await work(db)
    } catch (error) {
      throw toStorageError(error)
    } finally {
      db?.close()
    }
  }
  return {
    inTurn: async <T> (work: () => Promise<T>) => {
      const late = new AbortController()
      const timer = setTimeout(() => { late.abort() }, turnMs)
      let done: { readonly value: T } | undefined
      try {
        await locks.request(`commonweight-purse-${name}`, { signal: late.signal }, async () => {
          clearTimeout(timer)
          done = { value: await work() }
        })
      } catch (error) {
        if (!late.signal.aborted) throw error
      } finally {
        clearTimeout(timer)
      }
      return done
    },
    read: async () => await withDatabase(async db => {
      const value: unknown = await db.get('purse', name)
      if (value !== undefined && !(value instanceof Uint8Array)) throw new StorageError('corrupt', 'the purse of this profile cannot be read')
      return value
    }),
    write: async bytes => {
      await withDatabase(async db => {
        const tx = db.transaction('purse', 'readwrite', { durability: 'strict' })
        tx.store.put(bytes, name).catch(() => {})
        await tx.done
      })
    }
  }
}
