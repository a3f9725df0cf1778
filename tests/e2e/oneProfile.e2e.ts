/** Tabs of one browser profile and the wallet that they share: a backup, an import, and the end of all of it. */
import type { BrowserContext } from '@playwright/test'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Stage, type Tab, until } from './harness.ts'
import { recordFailures } from './recordFailures.ts'

const PASSPHRASE = 'a long enough passphrase'
const MARK = 'left-by-the-test'

let stage: Stage | undefined
let context: BrowserContext
const tabs: Tab[] = []

recordFailures(() => stage)

beforeAll(async () => {
  stage = await Stage.open()
  tabs.push(await stage.tab('one'))
  context = tabs[0].context
  tabs.push(await stage.tab('two', context))
})

afterAll(async () => { await stage?.close() })

const exportKey = async (tab: Tab): Promise<string> => await tab.page.evaluate(async passphrase => {
  const r = await window.commonweight!.exportKey(passphrase)
  if (!r.ok) throw new Error(JSON.stringify(r.errors))
  return r.value
}, PASSPHRASE)

/** Through the page, as a person does it. */
async function importKey (tab: Tab, backup: string): Promise<void> {
  await tab.show('wallet', 'keys')
  await tab.element('import-backup').fill(backup)
  await tab.element('import-passphrase').fill(PASSPHRASE)
  await tab.element('import-submit').click()
  await tab.element('import-confirm-yes').click()
  await tab.element('import-result').waitFor()
}

interface Left { readonly databases: string[], readonly marks: string[], readonly seeds: number[][], readonly files: string[] }

/** What this profile has on its disk, and which of it bears the mark. */
const left = async (tab: Tab): Promise<Left> => await tab.page.evaluate(async mark => {
  const open = async (name: string): Promise<IDBDatabase> => await new Promise((resolve, reject) => {
    const request = indexedDB.open(name)
    request.onsuccess = () => { resolve(request.result) }
    request.onerror = () => { reject(request.error ?? new Error(name)) }
  })
  const get = async (db: IDBDatabase, store: string, key: string): Promise<unknown> => await new Promise((resolve, reject) => {
    const request = db.transaction(store).objectStore(store).get(key)
    request.onsuccess = () => { resolve(request.result) }
    request.onerror = () => { reject(request.error ?? new Error(key)) }
  })
  const databases = (await indexedDB.databases()).map(d => d.name ?? '').filter(n => n.startsWith('commonweight-')).sort()
  const marks: string[] = [localStorage, sessionStorage].flatMap((s, i) => s.getItem(mark) === null ? [] : [`storage ${i}`])
  const seeds: number[][] = []
  for (const name of databases) {
    const db = await open(name)
    for (const store of db.objectStoreNames) if (await get(db, store, mark) !== undefined) marks.push(`${name}/${store}`)
    if (name === 'commonweight-wallet') seeds.push([...(await get(db, 'wallet', 'wallet') as { seed: Uint8Array }).seed])
    db.close()
  }
  const root = await navigator.storage.getDirectory()
  const files: string[] = []
  for await (const [name, handle] of root as unknown as AsyncIterable<[string, FileSystemDirectoryHandle]>) {
    files.push(name)
    if (await handle.getFileHandle(mark).then(() => true, () => false)) marks.push(`file ${name}`)
  }
  const copy = await (await (await (await root.getDirectoryHandle('wallet')).getFileHandle('copy')).getFile()).arrayBuffer()
  seeds.push([...new Uint8Array(copy).subarray(2, 34)])
  return { databases, marks: marks.sort(), seeds, files: files.sort() }
}, MARK)

/** Leaves the mark in every place that there is. */
const markAll = async (tab: Tab): Promise<void> => {
  await tab.page.evaluate(async mark => {
    for (const { name } of await indexedDB.databases()) {
      const db = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(name!)
        request.onsuccess = () => { resolve(request.result) }
        request.onerror = () => { reject(request.error ?? new Error(name)) }
      })
      for (const store of db.objectStoreNames) {
        await new Promise<void>((resolve, reject) => {
          const tx = db.transaction(store, 'readwrite')
          tx.objectStore(store).put(new Uint8Array(1), mark)
          tx.oncomplete = () => { resolve() }
          tx.onerror = () => { reject(tx.error ?? new Error(store)) }
        })
      }
      db.close()
    }
    const root = await navigator.storage.getDirectory()
    for (const folder of ['wallet', 'swarm']) await (await root.getDirectoryHandle(folder, { create: true })).getFileHandle(mark, { create: true })
    localStorage.setItem(mark, '1')
    sessionStorage.setItem(mark, '1')
  }, MARK)
}

test('a backup that is saved in one tab counts in the other', async () => {
  const [one, two] = tabs
  expect([(await one.view()).wallet.backedUp, (await two.view()).wallet.backedUp]).toEqual([false, false])
  await exportKey(one)
  await one.page.evaluate(async () => { await window.commonweight!.backupSaved() })
  await two.until('the backup', 5_000, v => v.wallet.backedUp)
})

test('an import stops both tabs at once, which say that their key is in them alone; after a reload both have the new one, and its history', async () => {
  const [one, two] = tabs
  const donor = await stage!.tab('donor')
  const backup = await exportKey(donor)
  const { address } = (await donor.view()).wallet
  await donor.context.close()
  await one.mine(true)
  await one.until('a block of its own', 120_000, v => v.wallet.maturing > 0n)
  await one.mine(false)
  await until('its line', 30_000, async () => (await one.page.evaluate(async () => await window.commonweight!.history(10))).length > 0)
  await two.show('wallet', 'keys')
  await importKey(one, backup)
  for (const tab of [one, two]) {
    await tab.until('the end of its node', 5_000, v => v.phase.phase === 'stopped' && v.wallet.replaced)
    await tab.element('key-replaced').waitFor()
  }
  for (const tab of [one, two]) {
    await tab.reload()
    expect((await tab.view()).wallet).toMatchObject({ address, replaced: false })
    expect(await tab.page.evaluate(async () => await window.commonweight!.history(10))).toEqual([])
  }
})

test('“Erase it all” leaves neither a database nor a file nor the second copy of the key, with another tab open, and begins anew with another key', async () => {
  const [one, two] = tabs
  const before = await left(one)
  expect(before.databases).toEqual(expect.arrayContaining(['commonweight-wallet', 'commonweight-purse']))
  expect(before.databases.length).toBeGreaterThanOrEqual(4)
  expect(before.seeds[0]).toEqual(before.seeds[1])
  const { address } = (await one.view()).wallet
  await markAll(one)
  expect((await left(one)).marks.length).toBeGreaterThan(before.databases.length + 3)
  await one.show('settings')
  await one.element('node-erase').click()
  await one.element('erase-confirm').waitFor()
  const reloaded = one.page.waitForEvent('load')
  await one.element('erase-confirm-yes').click()
  await reloaded
  await one.page.waitForFunction(() => window.commonweight !== undefined, undefined, { timeout: 90_000 })
  const after = await left(one)
  expect(after.marks).toEqual([])
  expect(after.seeds[0]).toEqual(after.seeds[1])
  expect(after.seeds[0]).not.toEqual(before.seeds[0])
  const view = await one.view()
  expect(view.wallet.address).not.toBe(address)
  expect(view.wallet).toMatchObject({ backedUp: false, balance: 0n })
  expect(await one.element('erased').textContent()).toMatch(/Everything was erased.*a new key/)
  expect((await two.view()).phase).toEqual({ phase: 'stopped', detail: 'everything of this site was erased in another tab' })
  await two.show('blocks')
  expect(await two.element('stopped-note').textContent()).toMatch(/Everything of this site was erased in another tab/)
  expect(await two.element('elsewhere').count()).toBe(0)
  // Without its store a tab can do nothing; it must not bring the old key back.
  await two.reload()
  expect((await two.view()).wallet.address).toBe(view.wallet.address)
})
