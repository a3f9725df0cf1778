/** What the browser tests call inside the page. The real adapter, and raw IndexedDB to prepare a case. */
import { deleteDB, openDB } from 'idb'
import { PURSE_CASES } from '../../compliance/purse.ts'
import { SIBLINGS_CASES } from '../../compliance/siblings.ts'
import { STORAGE_CASES } from '../../compliance/storage.ts'
import { StorageError, type Storage, type StorageOp } from '../../../src/ports/storage.ts'
import { openIndexedDb } from '../../../src/storage/indexedDb.ts'
import { openPurse } from '../../../src/storage/purse.ts'
import { openSiblings } from '../../../src/storage/siblings.ts'
import { takeSlot, type Slot } from '../../../src/storage/slots.ts'
import { openWallet } from '../../../src/storage/wallet.ts'

declare global {
  interface Window {
    /** Bound by the test where the quota can be set: CDP Storage.overrideQuotaForOrigin. */
    overrideQuota: (bytes: number | null) => Promise<void>
    storageTest: typeof api
  }
}

/** Runs one compliance case on a database made for it. Throws as the case does. */
async function runCase (name: string): Promise<void> {
  const found = STORAGE_CASES.find(one => one.name === name)
  if (found === undefined) throw new Error(`no case "${name}"`)
  const database = `case-${name}-${crypto.randomUUID()}`
  const opened: Storage[] = []
  try {
    await found.run({
      open: async () => {
        const storage = await openIndexedDb(database)
        opened.push(storage)
        return storage
      },
      limit: async bytes => {
        const { usage = 0 } = await navigator.storage.estimate()
        await window.overrideQuota(bytes === undefined ? null : usage + bytes)
      }
    })
  } finally {
    for (const storage of opened) await storage.close()
    await deleteDB(database)
  }
}

/** The same, inside a dedicated worker: where the node lives. */
async function runCaseInWorker (name: string): Promise<void> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  try {
    const failure = await new Promise<string | undefined>((resolve, reject) => {
      worker.onerror = event => { reject(new Error(event.message)) }
      worker.onmessage = event => { resolve(event.data as string | undefined) }
      worker.postMessage(name)
    })
    if (failure !== undefined) throw new Error(failure)
  } finally {
    worker.terminate()
  }
}

/** 'ok', or the kind of the StorageError, or the text of any other. */
async function outcome (work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    return error instanceof StorageError ? error.kind : String(error)
  }
}

const rows = (generation: number, count: number, bytes: number): StorageOp[] => Array.from({ length: count }, (_, i): StorageOp => ({
  op: 'put', store: i % 2 === 0 ? 'headers' : 'bodies', key: String(i).padStart(6, '0'), value: new Uint8Array(bytes).fill(generation)
}))

const held: { storage?: Storage, slot?: Slot } = {}

const api = {
  runCase,
  runCaseInWorker,

  open: (name: string) => outcome(async () => { held.storage = await openIndexedDb(name) }),
  put: (key: string, byte: number) => outcome(() => held.storage!.commit([{ op: 'put', store: 'meta', key, value: Uint8Array.of(byte) }])),
  get: (key: string) => outcome(() => held.storage!.get('meta', key)),
  read: async (store: 'meta' | 'pool', key: string) => [...await held.storage!.get(store, key) ?? []],
  close: () => outcome(() => held.storage!.close()),

  /** Commits a generation of rows; does not wait. */
  startGeneration: (generation: number, count: number, bytes: number) => { held.storage!.commit(rows(generation, count, bytes)).catch(() => {}) },
  /** Commits a generation of rows to its end. */
  commitGeneration: (generation: number, count: number, bytes: number) => outcome(() => held.storage!.commit(rows(generation, count, bytes))),
  /** Commits to one store after another at the same time, without end. */
  writeEverywhere: () => {
    for (const store of ['headers', 'ledger', 'pool', 'library'] as const) {
      void (async () => {
        for (let n = 0; ; n++) await held.storage!.commit(['a', 'b', 'c', 'd'].map(key => ({ op: 'put', store, key, value: new Uint8Array(2_000).fill(n) })))
      })()
    }
  },
  /** Every generation that shows in any row, and the number of rows. */
  generations: async () => {
    const all = [...await held.storage!.range('headers'), ...await held.storage!.range('bodies')]
    return { rows: all.length, generations: [...new Set(all.flatMap(([, value]) => [value[0], value[value.length - 1]]))].sort((a, b) => a - b) }
  },

  /** Aborts the transaction of the next commit after that many puts, as the browser may. */
  abortAfterPuts: async (puts: number) => {
    const original = IDBObjectStore.prototype.put
    let seen = 0
    IDBObjectStore.prototype.put = function (...args) {
      const request = original.apply(this, args)
      if (++seen === puts) this.transaction.abort()
      return request
    }
    const result = await outcome(() => held.storage!.commit(rows(9, 50, 10)))
    IDBObjectStore.prototype.put = original
    return result
  },

  /** A database as version 1 of the app left it. */
  makeV1: async (name: string) => {
    const db = await openDB(name, 1, {
      upgrade: fresh => { for (const store of ['meta', 'headers', 'bodies', 'ledger', 'payloads', 'states', 'data', 'history']) fresh.createObjectStore(store) }
    })
    await db.put('meta', Uint8Array.of(1, 2, 3), 'head')
    db.close()
  },
  /** A database of a version that does not exist yet. */
  makeNewer: async (name: string) => { (await openDB(name, 99, { upgrade: fresh => { fresh.createObjectStore('meta') } })).close() },
  /** The right version, but not the right stores. */
  makeBroken: async (name: string, version: number) => { (await openDB(name, version, { upgrade: fresh => { fresh.createObjectStore('meta') } })).close() },
  /** Something else where bytes belong. */
  putText: async (name: string, version: number) => {
    const db = await openDB(name, version)
    await db.put('meta', 'text', 'bad')
    db.close()
  },
  versionOf: async (name: string) => (await indexedDB.databases()).find(db => db.name === name)?.version,
  /** What a tab with a later version of the app does. */
  upgradeTo: async (name: string, version: number) => { (await openDB(name, version)).close() },
  remove: (name: string) => deleteDB(name),

  takeSlot: async () => {
    held.slot = await takeSlot(navigator.locks)
    return held.slot.slot
  },
  releaseSlot: () => held.slot!.release(),

  runPurseCase: async (name: string) => {
    const profile = crypto.randomUUID()
    await PURSE_CASES.find(one => one.name === name)!.run(() => openPurse(navigator.locks, profile))
  },
  runSiblingsCase: async (name: string) => {
    const wallet = crypto.randomUUID()
    await SIBLINGS_CASES.find(one => one.name === name)!.run(() => openSiblings(wallet))
  },
  /** Adds one to the count of a purse that all tabs have, slowly. */
  countInTurn: async (waitMs: number) => {
    const purse = openPurse(navigator.locks, 'shared')
    const turn = await purse.inTurn(async () => {
      const n = (await purse.read())?.[0] ?? 0
      await new Promise(resolve => { setTimeout(resolve, waitMs) })
      await purse.write(Uint8Array.of(n + 1))
      return n + 1
    })
    return turn?.value
  },
  /** Takes a turn and keeps it; resolves once it has it. */
  holdTurn: async () => {
    await new Promise<void>(resolve => { void openPurse(navigator.locks, 'shared').inTurn(async () => { resolve(); await new Promise(() => {}) }) })
  },
  turnWithin: async (ms: number) => (await openPurse(navigator.locks, 'shared', ms).inTurn(async () => 'done'))?.value,

  wallet: async () => {
    const wallet = await openWallet({ bytes: n => crypto.getRandomValues(new Uint8Array(n)) })
    return { seed: [...wallet.seed], backedUp: wallet.backedUp, restored: wallet.restored }
  },
  /** As Chromium does with all databases of a site where it finds one damaged. */
  loseWallet: async () => { await deleteDB('commonweight-wallet') },
  loseCopy: async () => { await (await navigator.storage.getDirectory()).removeEntry('wallet', { recursive: true }) },
  walletBackedUp: async () => { await (await openWallet({ bytes: n => crypto.getRandomValues(new Uint8Array(n)) })).setBackedUp() },
  /** Opened first, then another seed put in its place, then marked as backed up by the first. Whether the first knew of the other seed, before and after. */
  walletBackedUpLate: async (byte: number) => {
    const random = { bytes: (n: number) => crypto.getRandomValues(new Uint8Array(n)) }
    const early = await openWallet(random)
    const before = await early.replaced()
    await (await openWallet(random)).replace(new Uint8Array(32).fill(byte))
    await early.setBackedUp()
    return [before, await early.replaced()]
  },
  makeWalletBroken: async () => {
    const db = await openDB('commonweight-wallet', 1)
    await db.put('wallet', { seed: new Uint8Array(31), backedUp: false }, 'wallet')
    db.close()
  },
  openWalletOutcome: () => outcome(() => openWallet({ bytes: n => new Uint8Array(n) }))
}

window.storageTest = api
