/**
 * The databases of a profile, read by a page that does not run the app: what is on disk, whatever
 * the tab that wrote it believes.
 */
import type { BrowserContext, Page } from '@playwright/test'

/** Rows below this depth under the newest header are left out. */
export const WINDOW_BLOCKS = 180

type Row = readonly [key: string, base64: string]

/** One node's database as it lies there. */
export interface Dump {
  readonly name: string
  readonly headers: readonly Row[]
  readonly bodyKeys: readonly string[]
  /** Those that the reader did not know, and the newest. */
  readonly bodies: readonly Row[]
  readonly pool: readonly Row[]
  readonly slices: readonly Row[]
}

/** `gone`: databases that are not there, or without their stores; `notYet`: times the browser could not open one. */
export interface ProfileDump { readonly nodes: readonly Dump[], readonly gone: readonly string[], readonly notYet: number, readonly seed: string | undefined, readonly purse: readonly Row[] }

const PATH = 'perturb-witness'

export class Witness {
  readonly #origin: string
  readonly #openPage: (context: BrowserContext) => Promise<Page>
  #page: Page | undefined

  constructor (origin: string, openPage: (context: BrowserContext) => Promise<Page>) {
    this.#origin = origin
    this.#openPage = openPage
  }

  /** Every node database of the profile whose name is among `names`, and the wallet's seed. */
  async read (context: BrowserContext, names: readonly string[], known: readonly string[]): Promise<ProfileDump> {
    const page = await this.#open(context)
    return await page.evaluate(readAll, { names, known, window: WINDOW_BLOCKS })
  }

  /** A planted fault: the newest header and body of the database are taken away. Gives their key. */
  async dropBlock (context: BrowserContext, name: string, hash: string): Promise<void> {
    const page = await this.#open(context)
    await page.evaluate(dropBlock, { name, hash })
  }

  /** A planted fault: a whole database is gone. */
  async dropDatabase (context: BrowserContext, name: string): Promise<void> {
    const page = await this.#open(context)
    await page.evaluate(async n => { await new Promise((resolve, reject) => { Object.assign(indexedDB.deleteDatabase(n), { onsuccess: resolve, onerror: reject, onblocked: reject }) }) }, name)
  }

  /** A planted fault: another seed in the wallet's place. */
  async swapSeed (context: BrowserContext): Promise<void> {
    const page = await this.#open(context)
    await page.evaluate(swapSeed)
  }

  /** A planted fault: a transaction that waits is forgotten. */
  async clearStore (context: BrowserContext, name: string, store: string): Promise<void> {
    const page = await this.#open(context)
    await page.evaluate(clearStore, { name, store })
  }

  /** Its renderer may have died with the others. */
  async #open (context: BrowserContext): Promise<Page> {
    const page = this.#page
    if (page !== undefined && page.context() === context && !page.isClosed() && await page.evaluate(() => true).catch(() => false)) return page
    await page?.close().catch(() => {})
    const fresh = await this.#openPage(context)
    fresh.once('crash', () => { void fresh.close().catch(() => {}) })
    await fresh.route(`**/${PATH}`, async route => { await route.fulfill({ contentType: 'text/html', body: '<title>witness</title>' }) })
    await fresh.goto(`${this.#origin}${PATH}`)
    this.#page = fresh
    return fresh
  }
}

async function readAll (o: { readonly names: readonly string[], readonly known: readonly string[], readonly window: number }): Promise<ProfileDump> {
  const answer = async <T>(request: IDBRequest<T>): Promise<T> => await new Promise((resolve, reject) => {
    request.onsuccess = () => { resolve(request.result) }
    request.onerror = () => { reject(new Error(`IndexedDB: ${request.error?.message ?? 'no reason given'}`)) }
  })
  const text = (value: unknown): string => {
    if (!(value instanceof Uint8Array)) throw new Error('a stored value is not bytes')
    let s = ''
    for (const byte of value) s += String.fromCharCode(byte)
    return btoa(s)
  }
  // As the app does (src/storage/steadyOpen.ts): a browser that has just come back may not have the files yet.
  const steadily = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (const pause of [200, 500, 1_000, 2_000, 3_500]) {
      try {
        return await ask()
      } catch (e) {
        if (!(e instanceof Error) || !e.message.includes('backing store')) throw e
        notYet++
        await new Promise(resolve => setTimeout(resolve, pause))
      }
    }
    return await ask()
  }
  let notYet = 0
  const open = async (name: string): Promise<IDBDatabase> => await steadily(async () => await answer(indexedDB.open(name)))
  const known = new Set(o.known)
  const nodes: Dump[] = []
  const gone: string[] = []
  // Opening one that is not there would make it, and hide the loss from the app. A browser that has not opened its
  // files yet says that there is none at all, so it is asked again: what is lost stays so.
  const look = async (): Promise<Set<string | undefined>> => new Set((await steadily(async () => await indexedDB.databases())).map(d => d.name))
  let there = await look()
  for (const pause of [500, 1_000, 2_000, 4_000]) {
    if (o.names.every(name => there.has(name))) break
    notYet++
    await new Promise(resolve => setTimeout(resolve, pause))
    there = await look()
  }
  for (const name of o.names) {
    if (!there.has(name)) { gone.push(name); continue }
    const db = await open(name)
    if (['headers', 'bodies', 'pool', 'meta'].some(store => !db.objectStoreNames.contains(store))) {
      db.close()
      gone.push(name)
      continue
    }
    const tx = db.transaction(['headers', 'bodies', 'pool', 'meta'])
    const headers = tx.objectStore('headers')
    const last = await answer(headers.openKeyCursor(IDBKeyRange.bound('n/', 'n0'), 'prev'))
    const top = last === null ? 0 : parseInt((last.key as string).slice(2, 10), 16)
    const from = Math.max(0, top - o.window).toString(16).padStart(8, '0')
    const rows = async (store: string, range: IDBKeyRange | null): Promise<Row[]> => {
      const table = tx.objectStore(store)
      const [keys, values] = await Promise.all([answer(table.getAllKeys(range)), answer(table.getAll(range) as IDBRequest<unknown[]>)])
      return keys.map((key, i) => [key as string, text(values[i])] as const)
    }
    const bodyKeys = (await answer(tx.objectStore('bodies').getAllKeys(IDBKeyRange.lowerBound(from)))) as string[]
    const wanted = bodyKeys.filter((key, i) => i >= bodyKeys.length - 4 || !known.has(key.slice(9)))
    nodes.push({
      name,
      headers: await rows('headers', IDBKeyRange.bound(`n/${from}`, 'n0')),
      bodyKeys,
      bodies: await Promise.all(wanted.map(async key => [key, text(await answer(tx.objectStore('bodies').get(key) as IDBRequest<unknown>))] as const)),
      pool: await rows('pool', null),
      slices: await rows('meta', IDBKeyRange.bound('trainer/slices/', 'trainer/slices0'))
    })
    db.close()
  }
  const purse: Row[] = []
  if (there.has('commonweight-purse')) {
    const db = await open('commonweight-purse')
    const table = db.transaction('purse').objectStore('purse')
    const [keys, values] = await Promise.all([answer(table.getAllKeys()), answer(table.getAll() as IDBRequest<unknown[]>)])
    purse.push(...keys.map((key, i) => [key as string, text(values[i])] as const))
    db.close()
  }
  if (!there.has('commonweight-wallet')) return { nodes, gone, notYet, purse, seed: undefined }
  const wallet = await open('commonweight-wallet')
  const record = wallet.objectStoreNames.contains('wallet') ? await answer(wallet.transaction('wallet').objectStore('wallet').get('wallet') as IDBRequest<{ readonly seed: Uint8Array } | undefined>) : undefined
  wallet.close()
  return { nodes, gone, notYet, purse, seed: record === undefined ? undefined : text(record.seed) }
}

async function dropBlock (o: { readonly name: string, readonly hash: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const opening = indexedDB.open(o.name)
    opening.onerror = () => { reject(new Error('not opened')) }
    opening.onsuccess = () => {
      const tx = opening.result.transaction(['headers', 'bodies'], 'readwrite')
      for (const store of ['headers', 'bodies']) {
        const keys = tx.objectStore(store).getAllKeys()
        keys.onsuccess = () => { for (const key of keys.result) if ((key as string).endsWith(o.hash)) tx.objectStore(store).delete(key) }
      }
      tx.oncomplete = () => { opening.result.close(); resolve() }
    }
  })
}

async function swapSeed (): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const opening = indexedDB.open('commonweight-wallet')
    opening.onerror = () => { reject(new Error('not opened')) }
    opening.onsuccess = () => {
      const tx = opening.result.transaction('wallet', 'readwrite')
      tx.objectStore('wallet').put({ seed: crypto.getRandomValues(new Uint8Array(32)), backedUp: false }, 'wallet')
      tx.oncomplete = () => { opening.result.close(); resolve() }
    }
  })
}

async function clearStore (o: { readonly name: string, readonly store: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const opening = indexedDB.open(o.name)
    opening.onerror = () => { reject(new Error('not opened')) }
    opening.onsuccess = () => {
      const tx = opening.result.transaction(o.store, 'readwrite')
      tx.objectStore(o.store).clear()
      tx.oncomplete = () => { opening.result.close(); resolve() }
    }
  })
}
