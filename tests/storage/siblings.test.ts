import { describe, expect, test } from 'vitest'
import type { SiblingNews } from '../../src/ports/siblings.ts'
import { MemoryFamily, MemorySiblings } from '../../src/storage/memorySiblings.ts'
import { openSiblings, tellErased } from '../../src/storage/siblings.ts'
import { SIBLINGS_CASES } from '../compliance/siblings.ts'

const cases = SIBLINGS_CASES.map(one => [one.name, one] as const)

describe('siblings in memory meet the contract', () => {
  test.each(cases)('%s', async (_, one) => {
    const family = new MemoryFamily()
    await one.run(() => new MemorySiblings(family))
  })
})

describe('siblings on a BroadcastChannel meet the contract', () => {
  test.each(cases)('%s', async (name, one) => { await one.run(() => openSiblings(name)) })

  test('what is no news, as of a later version, is not heard, and another wallet is not either', async () => {
    const tab = openSiblings('a')
    const news: SiblingNews[] = []
    tab.onNews(n => { news.push(n) })
    const raw = new BroadcastChannel('commonweight-wallet-a')
    for (const data of [undefined, null, 7, 'opened', {}, { kind: 'later' }, { kind: 'elsewhere' }, { kind: 'elsewhere', atMs: '5' }, { kind: 'elsewhere', atMs: NaN }]) raw.postMessage(data)
    const other = openSiblings('b')
    other.tell({ kind: 'replaced' })
    raw.postMessage({ kind: 'backed-up', more: 1 })
    await expect.poll(() => news.length).toBeGreaterThan(0)
    expect(news).toEqual([{ kind: 'backed-up' }])
    raw.close()
  })

  test('that all of the site was erased reaches the tabs of every wallet, by that way alone', async () => {
    const heard: Array<readonly [string, SiblingNews]> = []
    for (const wallet of ['c', 'd']) openSiblings(wallet).onNews(n => { heard.push([wallet, n]) })
    openSiblings('c').tell({ kind: 'erased' })
    await expect.poll(() => heard.length).toBe(2)
    tellErased()
    await expect.poll(() => heard.length).toBe(4)
    expect(heard.map(([wallet, { kind }]) => `${wallet} ${kind}`).sort()).toEqual(['c erased', 'c erased', 'd erased', 'd erased'])
    const raw = new BroadcastChannel('commonweight-site')
    raw.postMessage({ kind: 'replaced' })
    const own = new BroadcastChannel('commonweight-wallet-c')
    own.postMessage({ kind: 'erased' })
    own.postMessage({ kind: 'backed-up' })
    await expect.poll(() => heard.at(-1)?.[1].kind).toBe('backed-up')
    expect(heard).toHaveLength(5)
    raw.close()
    own.close()
  })
})
