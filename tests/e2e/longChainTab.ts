/** A tab that comes up with a long chain on its disk, as if it had followed it for days. */
import { readFileSync } from 'node:fs'
import { NETWORKS } from '../../src/core/params.ts'
import { STORES } from '../../src/ports/storage.ts'
import { SCHEMA_VERSION } from '../../src/storage/migrations.ts'
import { databaseName } from '../../src/storage/slots.ts'
import { type Stage, Tab } from './harness.ts'

/** Records of one transaction. */
const BATCH = 2_000
/** Bytes of the disk that are handed over at once. */
const PART_BYTES = 4 * 1024 * 1024

/** `disk`: a packed disk (tests/bench/longChain.ts) of the test network. */
export async function tabWithChain (stage: Stage, name: string, disk: string): Promise<Tab> {
  const page = await stage.page(name)
  const origin = new URL(stage.url).origin
  await page.route(`${origin}/filled.html`, async route => { await route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>filled</title>' }) })
  const bytes = readFileSync(disk)
  await page.route(`${origin}/filled.disk?*`, async route => {
    const from = Number(new URL(route.request().url()).searchParams.get('from'))
    await route.fulfill({ contentType: 'application/octet-stream', body: bytes.subarray(from, from + PART_BYTES) })
  })
  await page.goto(`${origin}/filled.html`)
  await page.evaluate(async ({ database, version, stores, batch, size, part }) => {
    const bytes = new Uint8Array(size)
    for (let from = 0; from < size; from += part) bytes.set(new Uint8Array(await (await fetch(`/filled.disk?from=${from}`)).arrayBuffer()), from)
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(database, version)
      request.onupgradeneeded = () => { for (const store of stores) request.result.createObjectStore(store) }
      request.onsuccess = () => { resolve(request.result) }
      request.onerror = () => { reject(request.error ?? new Error('not opened')) }
    })
    const view = new DataView(bytes.buffer)
    const text = new TextDecoder()
    for (let at = 0; at < bytes.length;) {
      const transaction = db.transaction(stores, 'readwrite', { durability: 'relaxed' })
      const done = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => { resolve() }
        transaction.onabort = () => { reject(transaction.error ?? new Error('not written')) }
      })
      for (let i = 0; i < batch && at < bytes.length; i++) {
        const store = stores[view.getUint8(at)]
        const key = view.getUint32(at + 1, true)
        const value = view.getUint32(at + 5, true)
        at += 9
        transaction.objectStore(store).put(bytes.slice(at + key, at + key + value), text.decode(bytes.subarray(at, at + key)))
        at += key + value
      }
      await done
    }
    db.close()
  }, { database: databaseName(NETWORKS['test'].name, 0), version: SCHEMA_VERSION, stores: [...STORES], batch: BATCH, size: bytes.length, part: PART_BYTES })
  const tab = new Tab(name, page)
  await tab.goto(stage.url)
  return tab
}
