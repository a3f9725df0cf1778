/** What both adapters check before they touch a store: mistakes of the caller, found the same way. */
import { STORES, type RangeQuery, type StorageOp, type StoreName } from '../ports/storage.ts'

export function checkStore (store: StoreName): void {
  if (!STORES.includes(store)) throw new TypeError(`no store "${store}"`)
}

/** True if the query can match nothing, whatever is stored. */
export function isEmptyQuery (query: RangeQuery): boolean {
  const { from, to, limit } = query
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 0)) throw new RangeError(`limit is ${limit}, expected a count`)
  return limit === 0 || (from !== undefined && to !== undefined && from >= to)
}

/**
 * The ops with their bytes copied: what the caller does to its buffers afterwards changes nothing,
 * and a short view into a long buffer is stored short (a structured clone keeps the whole buffer).
 */
export function snapshot (ops: readonly StorageOp[]): StorageOp[] {
  return ops.map(op => {
    checkStore(op.store)
    if (typeof op.key !== 'string') throw new TypeError(`key of ${op.store} is not a string`)
    if (op.op === 'delete') return { op: 'delete', store: op.store, key: op.key }
    const value = op.value
    if (!(value instanceof Uint8Array)) throw new TypeError(`value of ${op.store}/${op.key} is not bytes`)
    return { op: 'put', store: op.store, key: op.key, value: new Uint8Array(value) }
  })
}
