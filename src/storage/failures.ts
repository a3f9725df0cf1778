/** What IndexedDB says when it fails, as the four failures of the port. */
import { StorageError } from '../ports/storage.ts'

/** Errors of the platform carry a name; anything else is a mistake of ours and is passed on as it is. */
export function toStorageError (error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error || error instanceof DOMException)) return error
  switch (error.name) {
    case 'QuotaExceededError':
      return new StorageError('full', 'the browser gives this site no more room; nothing of this change was written')
    case 'VersionError':
      return new StorageError('newer', 'this database was written by a later version of the app')
    // A connection that was closed under us: by the user clearing the site's data, by a tab with a
    // later version, or by the browser itself.
    case 'InvalidStateError':
    case 'AbortError':
    case 'SecurityError':
    case 'InvalidAccessError':
      return new StorageError('gone', `the database was closed or is not allowed here (${error.name}: ${error.message})`)
    case 'UnknownError':
    case 'NotReadableError':
    case 'NotFoundError':
    case 'DataError':
      return new StorageError('corrupt', `the database cannot be read (${error.name}: ${error.message})`)
    default:
      // Browsers have more words for it than the standard: whoever asked must know that nothing was done.
      return error instanceof DOMException ? new StorageError('gone', `the database did not answer (${error.name}: ${error.message})`) : error
  }
}

export const gone = (why: string): StorageError => new StorageError('gone', why)
