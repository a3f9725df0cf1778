/** Compliance cases inside a worker. Quota is the page's to set, so that case is not run here. */
import { deleteDB } from 'idb'
import { STORAGE_CASES } from '../../compliance/storage.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { openIndexedDb } from '../../../src/storage/indexedDb.ts'

self.onmessage = event => {
  const name = event.data as string
  const database = `worker-${name}`
  const opened: Storage[] = []
  const run = async (): Promise<void> => {
    const found = STORAGE_CASES.find(one => one.name === name)
    if (found === undefined) throw new Error(`no case "${name}"`)
    await found.run({
      open: async () => {
        const storage = await openIndexedDb(database)
        opened.push(storage)
        return storage
      },
      limit: async () => { throw new Error('a worker cannot set the quota') }
    })
    for (const storage of opened) await storage.close()
    await deleteDB(database)
  }
  run().then(() => { self.postMessage(undefined) }, (error: unknown) => { self.postMessage(String(error)) })
}
