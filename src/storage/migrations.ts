/**
 * The layout of a node's database, as the list of steps that lead to it. A fresh database runs them
 * all; an older one runs those it has not seen, inside the one transaction in which IndexedDB changes
 * a version, so a step that fails leaves the old layout.
 */
import type { IDBPDatabase } from 'idb'
import type { StoreName } from '../ports/storage.ts'

type Migration = (db: IDBPDatabase) => void

/** The step at index i leads from version i to version i + 1. A released step is never edited. */
const MIGRATIONS: readonly Migration[] = [
  // 1: one store per kind of record, keys given by the caller, values are bytes.
  db => {
    for (const store of ['meta', 'headers', 'bodies', 'ledger', 'payloads', 'states', 'data', 'history']) db.createObjectStore(store)
  },
  // 2: transactions not yet in a block outlive a reload.
  db => { db.createObjectStore('pool' satisfies StoreName) },
  // 3: what the library follows, its settings, and receipts.
  db => { db.createObjectStore('library' satisfies StoreName) }
]

export const SCHEMA_VERSION = MIGRATIONS.length

/** Runs the steps after `fromVersion` (0: a fresh database). */
export function migrate (db: IDBPDatabase, fromVersion: number): void {
  for (const step of MIGRATIONS.slice(fromVersion)) step(db)
}
