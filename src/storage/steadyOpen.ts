/**
 * Opens an IndexedDB database also while the browser cannot yet: after a crash of the browser, what is
 * left of it may hold the files for a moment, and Chromium then answers `UnknownError: Internal error
 * opening backing store`. It is asked again for some seconds before it is believed.
 */
import { type DBSchema, type IDBPDatabase, openDB, type OpenDBCallbacks } from 'idb'

/** Pauses before it is asked again, ms: seven seconds in all. */
const PAUSES_MS = [200, 500, 1_000, 2_000, 3_500]

/** Rejects as `openDB` does. */
export async function openSteadily<S extends DBSchema | unknown = unknown> (name: string, version: number, callbacks: OpenDBCallbacks<S>): Promise<IDBPDatabase<S>> {
  for (const pause of PAUSES_MS) {
    try {
      return await openDB<S>(name, version, callbacks)
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'UnknownError') throw error
      await new Promise(resolve => setTimeout(resolve, pause))
    }
  }
  return await openDB<S>(name, version, callbacks)
}
