import { describe, expect, test } from 'vitest'
import type { SiblingNews } from '../../src/ports/siblings.ts'
import { MemoryFamily, MemorySiblings } from '../../src/storage/memorySiblings.ts'
import { openSiblings } from '../../src/storage/siblings.ts'
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
})
