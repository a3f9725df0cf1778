/** Tabs of one profile share a wallet: what another of them does is not a stranger's. */
import { describe, expect, test } from 'vitest'
import type { LibraryItem } from '../../src/bridge/api.ts'
import { SETS } from './fakeLibrary.ts'
import { makeBlock, ME } from './fakeNode.ts'
import { hex } from './hex.ts'
import { all, click, find, get, open, text, waitFor } from './support.tsx'

describe('another tab of this wallet', () => {
  test('a block of another tab of this wallet is no stranger\'s, in every list and by itself', async () => {
    const { node, go } = await open('blocks')
    await waitFor(() => { expect(all('block-row').length).toBeGreaterThan(0) })
    const hash = hex('block-213')
    node.emit({ type: 'block', block: makeBlock(213, Date.now(), { miner: hex('slot 2'), payee: ME, mine: false, checked: 'replayed' }) })
    const row = (): HTMLElement | undefined => all('block-row').find(r => r.dataset['hash'] === hash)
    expect(row()?.textContent).toContain('your other tab')
    click('blocks-filter-mine')
    expect(all('block-row').every(r => /you/.test(r.querySelector('.block-who')?.textContent ?? ''))).toBe(true)
    expect(row()).toBeDefined()
    await go(`blocks/${hash}`)
    expect((await find('block-detail')).querySelector('.who')?.textContent).toContain('your other tab')
    await go('train')
    await waitFor(() => { expect(document.querySelector('.recent')?.textContent).toContain('your other tab') })
    expect(text('numbers')).toContain('by all tabs of this wallet · 97 contributions sealed by this one')
  })

  test('what another tab of this wallet has published is not offered as a stranger\'s', async () => {
    const { node, go } = await open('library')
    await find('library-add')
    expect(all('set-other-tab')).toHaveLength(0)
    const change = (part: Partial<LibraryItem>): void => { node.showLibrary({ items: node.currentLibrary().items.map(i => i.infoHash === SETS.faces ? { ...i, ...part } : i) }) }
    const note = node.currentLibrary().items.find(i => i.infoHash === SETS.faces)!.note!
    change({ seeders: 0, note: { ...note, publisher: node.current().wallet.key } })
    await waitFor(() => { expect(text('set-other-tab')).toMatch(/^Shared by another tab of yours, .*: open it to share again\.$/) })
    expect(get('set-other-tab').closest<HTMLElement>('[data-testid="set-row"]')?.dataset['infohash']).toBe(SETS.faces)
    change({ seeders: 1 })
    await waitFor(() => { expect(text('set-other-tab')).toBe('Shared by another tab of yours. Fetch it to hold it in this tab, too.') })
    await go(`library/${SETS.faces}`)
    expect((await find('set-detail')).textContent).toMatch(/Nothing of it is in this tab\..*Shared by another tab of yours/)
    // Of its own sets nothing of the kind is said.
    await go(`library/${SETS.letters}`)
    await waitFor(() => { expect(get('set-detail').dataset['state']).toBe('complete') })
    expect(all('set-other-tab')).toHaveLength(0)
  })
})
