/** The library: the list, one set and its swarm, what can be done with it, and its limits. */
import { fireEvent } from '@solidjs/testing-library'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LibraryItem, LibraryState } from '../../src/bridge/api.ts'
import { RATES_MAX } from '../../src/ui/library.ts'
import { bits, makeItem, makePeer, SETS } from './fakeLibrary.ts'
import { PAID_JOB } from './fakeNode.ts'
import { hex } from './hex.ts'
import { all, click, errorOf, find, get, open, text, type, waitFor, type Opened } from './support.tsx'

const MIB = 1024 * 1024
const refuse = (field: string, message: string) => async () => ({ ok: false as const, errors: [{ field, message }] })
const rows = (): HTMLElement[] => all('set-row')
const row = (infoHash: string): HTMLElement => { const found = rows().find(r => r.dataset['infohash'] === infoHash); if (found === undefined) throw new Error(`no row of ${infoHash}`); return found }
const within = (element: HTMLElement, testid: string): HTMLElement | null => element.querySelector<HTMLElement>(`[data-testid="${testid}"]`)
const press = (element: HTMLElement, testid: string): void => { const target = within(element, testid); if (target === null) throw new Error(`no ${testid} there`); target.focus(); fireEvent.click(target) }
const words = (element: HTMLElement): string => (element.textContent ?? '').replace(/\s+/g, ' ').trim()
const names = (): string[] => rows().map(r => r.querySelector('.set-name')?.textContent ?? '')
/** Changes one set in the scripted library. */
const change = ({ node }: Opened, infoHash: string, part: Partial<LibraryItem>): void => { node.showLibrary({ items: node.currentLibrary().items.map(i => i.infoHash === infoHash ? { ...i, ...part } : i) }) }

async function list (options: Parameters<typeof open>[1] = {}, prepare?: Parameters<typeof open>[3]): Promise<Opened> {
  const opened = await open('library', options, {}, prepare)
  await find('library-add')
  return opened
}

async function setPage (infoHash: string, options: Parameters<typeof open>[1] = {}): Promise<Opened> {
  const opened = await open(`library/${infoHash}`, options)
  await find('set-detail')
  return opened
}

/** What the page hands to the browser as downloads, by name. */
const saved: Array<{ readonly name: string, readonly blob: Blob }> = []
beforeEach(() => {
  saved.length = 0
  const blobs = new Map<string, Blob>()
  vi.spyOn(URL, 'createObjectURL').mockImplementation(blob => { const url = `blob:${blobs.size}`; blobs.set(url, blob as Blob); return url })
  vi.spyOn(URL, 'revokeObjectURL').mockImplementation(() => {})
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) { if (this.download !== '') saved.push({ name: this.download, blob: blobs.get(this.href)! }) })
})
afterEach(() => { vi.restoreAllMocks() })

describe('library: the list', () => {
  test('of a set of one\'s own that is being checked the others are counted, not the seeders there are', async () => {
    const opened = await list()
    const infoHash = SETS.letters
    const { bytes } = opened.node.currentLibrary().items.find(i => i.infoHash === infoHash)!
    for (const part of [{ state: 'checking', haveBytes: 0 }, { state: 'complete', haveBytes: bytes }] as const) {
      change(opened, infoHash, { ...part, seeders: 0, peers: [], availability: new Uint8Array(0) })
      await waitFor(() => { expect(words(within(row(infoHash), 'health')!)).toMatch(/0 other seeders$/) })
      expect(words(row(infoHash))).not.toMatch(/No seeder/)
    }
  })

  test('the library is followed only once somebody looks at it', async () => {
    const { node, go } = await open('train')
    expect(node.called('listenLibrary')).toHaveLength(0)
    await go('library')
    await find('library-add')
    expect(node.called('listenLibrary')).toHaveLength(1)
    await go('wallet')
    await go('library')
    await find('library-add')
    expect(node.called('listenLibrary')).toHaveLength(1)
  })

  test('it is a place of its own in both navigations', async () => {
    await list()
    expect(get('nav-library').getAttribute('aria-current')).toBe('page')
    expect(get('bar-library').getAttribute('href')).toBe('#/library')
  })

  /** State, its label, the button that fits it, and what must be readable. */
  const STATES: ReadonlyArray<readonly [LibraryState, string, string, string | undefined, RegExp]> = [
    ['found', SETS.faces, 'Found', 'set-fetch', /38\.0 MiB.*for research, ask before you sell.*4 seeders/],
    ['metadata', SETS.unnamed, 'Looking', 'set-pause', /^Unnamed .*size not known/],
    ['downloading', SETS.digits, 'Fetching', 'set-pause', /412 MiB.*CC-BY-4\.0.*Pieces missing.*99 % in reach.*3\.42 MB\/s.*812 kB\/s.*251 MiB of 412 MiB, 49 s left/],
    ['complete', SETS.letters, 'Shared', 'set-save', /Model.*177 KiB.*MIT.*you.*trained by Handwritten letters, round 60.*from Letters and digits.*Good.*100 % in reach.*38\.4 kB\/s/],
    ['paused', SETS.paused, 'Paused', 'set-resume', /478 MiB of 1\.4 GiB/],
    ['failed', SETS.broken, 'Failed', 'set-retry', /The disk is full: 31 MiB are missing\. Free some space/]
  ]
  test.each(STATES)('%s', async (state, infoHash, label, action, facts) => {
    await list()
    const r = row(infoHash)
    expect(r.dataset['state']).toBe(state)
    expect(words(within(r, 'set-state')!)).toBe(label)
    expect(words(r)).toMatch(facts)
    expect(['set-fetch', 'set-pause', 'set-save', 'set-resume', 'set-retry'].filter(a => within(r, a) !== null)).toEqual([action])
    expect(within(r, 'set-remove')?.getAttribute('aria-label')).toMatch(/^Remove ./)
  })

  test('checking can neither be paused nor saved, and shows how far it is', async () => {
    const opened = await list()
    change(opened, SETS.digits, { state: 'checking' })
    await waitFor(() => { expect(words(within(row(SETS.digits), 'set-state')!)).toBe('Checking') })
    expect(within(row(SETS.digits), 'set-pause')).toBeNull()
    expect(row(SETS.digits).querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')).toBe('61')
  })

  test('links lead to the job that trained it and to what it was made from', async () => {
    await list()
    const links = [...row(SETS.letters).querySelectorAll('.set-who a')].map(a => a.getAttribute('href'))
    expect(links).toEqual([`#/jobs/${PAID_JOB}`, `#/library/${SETS.digits}`])
    // Of a parent that is not known here, the hash.
    expect([...row(SETS.faces).querySelectorAll('.set-who a')].map(a => a.textContent)).toEqual(['Handwritten letters, round 60.cwm', `${hex('somewhere else', 40).slice(0, 6)}…${hex('somewhere else', 40).slice(-4)}`])
  })

  test('kinds, words and both together narrow it, and there is a way back', async () => {
    await list()
    expect(text('library-count')).toBe('8')
    get('library-kind-model').click()
    await waitFor(() => { expect(names()).toEqual(['Handwritten letters, round 60.cwm', 'Small faces, quantised.safetensors']) })
    expect(text('library-count')).toBe('2 of 8')
    type('library-search', 'SMALL research')
    await waitFor(() => { expect(names()).toEqual(['Small faces, quantised.safetensors']) })
    type('library-search', SETS.digits)
    await find('library-clear')
    click('library-clear')
    await waitFor(() => { expect(rows()).toHaveLength(8) })
  })

  test.each([
    ['name', ['Birdsong, 2 s clips', 'Handwritten letters, round 60.cwm']], ['size', ['Birdsong, 2 s clips', 'Letters and digits']],
    ['seeders', ['State at block 200', 'Small faces, quantised.safetensors']], ['busy', ['Letters and digits', 'Handwritten letters, round 60.cwm']], ['newest', ['', 'Handwritten letters, round 60.cwm']]
  ])('ordered by %s', async (order, first) => {
    await list()
    fireEvent.change(get('library-order'), { target: { value: order } })
    await waitFor(() => { expect(names().slice(0, 2).map(n => n.startsWith('Unnamed') ? '' : n)).toEqual(first) })
  })

  test('nothing yet: what to do', async () => {
    await list({ library: { items: 0 } })
    expect(document.body.textContent).toMatch(/Nothing here yet.*share your own files.*magnet link/)
    expect(all('library-search')).toHaveLength(0)
  })

  test('a long list is shown piece by piece', async () => {
    const many = Array.from({ length: 66 }, (_, i) => makeItem(hex(`many-${i}`, 40), `set ${i}`, 1_000, { addedAt: i }))
    const { node } = await list()
    node.showLibrary({ items: many })
    await waitFor(() => { expect(rows()).toHaveLength(60) })
    click('library-more')
    await waitFor(() => { expect(rows()).toHaveLength(66) })
    expect(all('library-more')).toHaveLength(0)
  })

  test('memory only stands in a banner, with the reason', async () => {
    await list({ library: { store: 'memory', storeProblem: 'no file system in private windows' } })
    expect(text('library-store')).toMatch(/Kept in memory only.*No file system in private windows\..*lost when this tab closes.*Save what you need/)
    expect(get('library-used').parentElement?.textContent).toMatch(/801 MiB.*in memory only$/)
  })

  test('what others signed for is said to be no credits yet', async () => {
    await list()
    expect(text('library-receipts')).toBe('1.2 GiB')
    expect(document.body.textContent).toContain('you signed for 340 MiB')
  })

  test('a library that cannot be read can be asked again', async () => {
    let broken = true
    const { node } = await open('library', {}, {}, fake => { const view = fake.currentLibrary(); fake.answer('library', async () => { if (broken) throw new Error('the store is locked'); return view }) })
    expect(words(await find('library-failed'))).toContain('the store is locked')
    broken = false
    click('library-again')
    await find('library-add')
    expect(node.called('library')).toHaveLength(2)
  })

  test('a name of a stranger is shown as text and cannot turn the line', async () => {
    const opened = await list()
    change(opened, SETS.flowers, { name: '<img src=x>\u202egpj' })
    await waitFor(() => { expect(names()).toContain('<img src=x> gpj') })
  })
})

describe('library: actions', () => {
  test.each([['set-fetch', SETS.faces, 'fetchItem', 'downloading'], ['set-pause', SETS.digits, 'pauseItem', 'paused'], ['set-resume', SETS.paused, 'fetchItem', 'downloading'], ['set-retry', SETS.broken, 'fetchItem', 'downloading']] as const)('%s', async (button, infoHash, method, after) => {
    const { node } = await list()
    press(row(infoHash), button)
    await waitFor(() => { expect(row(infoHash).dataset['state']).toBe(after) })
    expect(node.called(method)).toEqual([[infoHash]])
  })

  test('sharing is ended once that was confirmed', async () => {
    const { node } = await list()
    press(row(SETS.letters), 'set-stop')
    const dialog = await find('set-stop-confirm')
    expect(dialog.textContent).toMatch(/files stay on this device/)
    expect(node.called('pauseItem')).toEqual([])
    click('set-stop-confirm-yes')
    await waitFor(() => { expect(row(SETS.letters).dataset['state']).toBe('paused') })
    expect(node.called('pauseItem')).toEqual([[SETS.letters]])
  })

  test('a refusal is a notice, and the set stays as it was', async () => {
    const { node } = await list()
    node.answer('fetchItem', refuse('infoHash', 'the library is full'))
    press(row(SETS.faces), 'set-fetch')
    await waitFor(() => { expect(text('toast')).toContain('The library is full.') })
    expect(row(SETS.faces).dataset['state']).toBe('found')
  })

  test('one file is saved at once, the .torrent file under its name', async () => {
    const { node } = await list()
    press(row(SETS.letters), 'set-save')
    await waitFor(() => { expect(saved.map(s => s.name)).toEqual(['Handwritten letters, round 60.cwm']) })
    expect(await saved[0]!.blob.text()).toBe('Handwritten letters, round 60.cwm')
    press(row(SETS.digits), 'set-torrent')
    await waitFor(() => { expect(saved[1]?.name).toBe('Letters and digits.torrent') })
    expect(node.called('torrentFile')).toEqual([[SETS.digits]])
  })

  test('the magnet link is copied', async () => {
    const copied = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue()
    const { node } = await list()
    press(row(SETS.letters), 'set-magnet')
    await waitFor(() => { expect(copied).toHaveBeenCalledWith(node.currentLibrary().items[0]!.magnet) })
  })

  test('several files are a way to their list', async () => {
    const opened = await list()
    change(opened, SETS.digits, { state: 'complete' })
    await waitFor(() => { expect(within(row(SETS.digits), 'set-files')?.textContent).toBe('4 files') })
    expect(within(row(SETS.digits), 'set-files')?.getAttribute('href')).toBe(`#/library/${SETS.digits}`)
  })

  test('removing asks first, says what is lost and who has it, and can be taken back', async () => {
    const { node } = await list()
    press(row(SETS.letters), 'set-remove')
    const dialog = await find('set-remove-confirm')
    expect(dialog.getAttribute('role')).toBe('alertdialog')
    expect(words(dialog)).toMatch(/177 KiB on this device are deleted.*2 linked peers have all of it \(12D3…\w{6}, 12D3…\w{6}\), so it can be fetched again/)
    await waitFor(() => { expect(document.activeElement).toBe(get('set-remove-confirm-no')) })
    expect(node.called('removeItem')).toHaveLength(0)
    click('set-remove-confirm-yes')
    await waitFor(() => { expect(rows()).toHaveLength(7) })
    expect(node.called('removeItem')).toEqual([[SETS.letters]])
    expect((await find('toast')).textContent).toContain('was removed from this device')
    click('toast-action')
    await waitFor(() => { expect(node.called('addToLibrary')).toEqual([[expect.stringContaining(SETS.letters)]]) })
    expect(all('toast-action')).toHaveLength(0)
  })

  test('Escape keeps it, and the focus goes back to the button', async () => {
    const { node } = await list()
    press(row(SETS.letters), 'set-remove')
    const dialog = await find('set-remove-confirm')
    fireEvent.keyDown(dialog, { key: 'Escape' })
    await waitFor(() => { expect(all('set-remove-confirm')).toHaveLength(0) })
    await waitFor(() => { expect(document.activeElement).toBe(within(row(SETS.letters), 'set-remove')) })
    expect(node.called('removeItem')).toHaveLength(0)
  })

  test('the last copy is called that, and offers no way back', async () => {
    await list()
    press(row(SETS.flowers), 'set-remove')
    expect(words(await find('set-remove-confirm'))).toMatch(/Nobody else in reach has all of it.*gone for good/)
    click('set-remove-confirm-yes')
    await find('toast')
    expect(all('toast-action')).toHaveLength(0)
  })

  test('of what was only heard of, nothing is deleted', async () => {
    await list()
    press(row(SETS.faces), 'set-remove')
    expect(words(await find('set-remove-confirm'))).toMatch(/Nothing of it is on this device/)
  })

  test('a removal that fails keeps the dialog and the set', async () => {
    const { node } = await list()
    node.answer('removeItem', async () => { throw new Error('the file is in use') })
    press(row(SETS.letters), 'set-remove')
    await find('set-remove-confirm')
    click('set-remove-confirm-yes')
    await waitFor(() => { expect(text('toast')).toContain('the file is in use') })
    expect(all('set-remove-confirm')).toHaveLength(1)
    expect(rows()).toHaveLength(8)
  })

  test('a set that has become whole is told of, wherever one is', async () => {
    const opened = await list()
    await opened.go('wallet')
    change(opened, SETS.digits, { state: 'complete' })
    await waitFor(() => { expect(text('toast')).toContain('“Letters and digits” is complete') })
  })
})

describe('library: one set', () => {
  test('facts, lineage both ways, and the words of its publisher', async () => {
    await setPage(SETS.letters)
    expect(text('set-detail')).toMatch(/Five convolutions.*1 piece of 256 KiB.*MIT.*what it says has not been checked/)
    expect(text('set-parents')).toBe('Made fromLetters and digits')
    expect(text('set-children')).toBe('Went intoSmall faces, quantised.safetensors')
  })

  test('what the node has for its own work is published by nobody, and stands behind what one looks for', async () => {
    const opened = await setPage(SETS.snapshot)
    expect(text('set-detail')).not.toMatch(/the chain/)
    change(opened, SETS.snapshot, { forNode: true, name: 'ledger-384-487706e0aabbccdd.cwl', addedAt: 9e15 })
    await waitFor(() => { expect(text('set-detail')).toMatch(/Ledger after block 384.*Published bythe chain/) })
    await opened.go('library')
    const first = (): string | undefined => all('set-row')[0].dataset.infohash
    expect(first()).not.toBe(SETS.snapshot)
    change(opened, SETS.snapshot, { forNode: false })
    await waitFor(() => { expect(first()).toBe(SETS.snapshot) })
  })

  test('the map of pieces has a text that says the same, and shows two things', async () => {
    await setPage(SETS.digits)
    const map = get('piece-map')
    const said = text('piece-words')
    expect(said).toBe('251 of 413 pieces here (60.8 %), 408 with somebody linked; 5 are neither here nor with anybody linked. The rarest is with 0 peers, the commonest with 6.')
    expect(map.querySelector('svg[role=img]')?.getAttribute('aria-label')).toBe(said)
    const squares = (shade: string): number => (map.querySelector(`svg[role=img] .piece-${shade}`)?.getAttribute('d')?.match(/M/g) ?? []).length
    expect(squares('here')).toBe(251)
    expect(squares('nobody')).toBe(5)
    get('piece-map-about-others').click()
    await waitFor(() => { expect(squares('here')).toBe(0) })
    expect(squares('one') + squares('few') + squares('many') + squares('nobody')).toBe(413)
  })

  test('peers: how linked, what they have, what passed, what was signed, who waits', async () => {
    await setPage(SETS.digits)
    expect(all('swarm-row').map(words)).toEqual([
      expect.stringMatching(/^12D3….*mesh71 %120 MiB1\.90 MB\/s44\.0 MiB612 kB\/s44\.0 MiB120 MiB–yes$/),
      expect.stringMatching(/mesh94 %98\.0 MiB1\.31 MB\/s40\.0 MiB200 kB\/s39\.0 MiB98\.0 MiB–yes$/),
      // A plain client signs nothing.
      expect.stringMatching(/^plain clienttracker42 %33\.0 MiB210 kB\/s12\.0 MiB–––yes$/),
      expect.stringMatching(/mesh8 %0 B0 B0 B0 B–waits$/)
    ])
    expect(text('set-receipts')).toBe('receipts: 83.0 MiB for this tab, 218 MiB by it')
  })

  test('hosting: what was shown of what was asked for, who did not show it, and why nothing was asked', async () => {
    const { go } = await setPage(SETS.snapshot)
    expect(text('set-hosting')).toBe('hosting checked 12 of 15; 1 peer did not show what it says to have, and counts as no seeder')
    expect(all('swarm-row').map(r => words(r.querySelectorAll('td')[7] as HTMLElement)).sort()).toEqual(['12 of 12', 'unproven', '–', '–', '–'])
    for (const [set, why] of [[SETS.digits, /^not checked: .* once it has all of it$/], [SETS.letters, /^not checked yet/], [SETS.flowers, /^nobody else/]] as const) {
      await go(`library/${set}`)
      await waitFor(() => { expect(text('set-hosting')).toMatch(why) })
    }
  })

  test('a crowd is cut off and counted', async () => {
    const opened = await setPage(SETS.digits)
    change(opened, SETS.digits, { peers: Array.from({ length: 140 }, (_, i) => makePeer(i)) })
    await waitFor(() => { expect(all('swarm-row')).toHaveLength(100) })
    expect(document.body.textContent).toContain('and 40 more peers')
  })

  test('only whole files can be saved, and all of them at once when all are', async () => {
    const opened = await setPage(SETS.digits)
    expect(all('set-file').map(f => within(f, 'set-file-save') !== null)).toEqual([false, false, false, true])
    expect(all('set-save-all')).toHaveLength(0)
    change(opened, SETS.digits, { state: 'complete', have: bits(413, () => true), haveBytes: 412 * MIB + 77_301 })
    await find('set-save-all')
    click('set-save-all')
    await waitFor(() => { expect(saved.map(s => s.name)).toEqual(['images-idx3-ubyte.gz', 'labels-idx1-ubyte.gz', 'images-idx3-ubyte.gz', 'README.txt']) })
    expect(opened.node.called('openFile').map(c => c[1])).toEqual(['train/images-idx3-ubyte.gz', 'train/labels-idx1-ubyte.gz', 'test/images-idx3-ubyte.gz', 'README.txt'])
  })

  test('a file that cannot be read ends the saving with a notice', async () => {
    const opened = await setPage(SETS.letters)
    opened.node.answer('openFile', refuse('path', 'the browser has cleared this file'))
    press(get('set-file'), 'set-file-save')
    await waitFor(() => { expect(text('toast')).toContain('The browser has cleared this file.') })
    expect(saved).toHaveLength(0)
  })

  test('the speed of the last minutes is kept while other views are open, and bounded', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    try {
      const { go } = await setPage(SETS.digits)
      vi.advanceTimersByTime(3_000)
      await go('wallet')
      vi.advanceTimersByTime(4_000)
      await go(`library/${SETS.digits}`)
      expect(Number((await find('rate-chart')).dataset['points'])).toBe(7)
      expect(get('rate-chart').querySelector('[role=img]')?.getAttribute('aria-label')).toBe('Letters and digits, last 6.0 s: receiving 3.42 MB/s, at most 3.42 MB/s; sending 812 kB/s, at most 812 kB/s')
      vi.advanceTimersByTime(RATES_MAX * 1_000)
      await waitFor(() => { expect(Number(get('rate-chart').dataset['points'])).toBe(RATES_MAX) })
    } finally { vi.useRealTimers() }
  })

  test('who was shut out, and why', async () => {
    await setPage(SETS.digits)
    expect(text('set-ban')).toContain('piece 17 of Street signs.zip did not match its hash')
  })

  test('before the metadata is here, it says what is waited for', async () => {
    await setPage(SETS.unnamed)
    expect(text('set-detail')).toMatch(/Pieces are not known yet.*as soon as a peer has sent the metadata.*Nobody is linked.*being looked for/)
    expect(all('set-torrent')).toHaveLength(0)
  })

  test('one that is not known can be looked for', async () => {
    const wanted = hex('heard elsewhere', 40)
    const { node } = await open(`library/${wanted}`)
    await find('set-look')
    node.answer('addToLibrary', refuse('source', 'the library is full'))
    click('set-look')
    await waitFor(() => { expect(text('set-unknown')).toContain('The library is full.') })
    node.answer('addToLibrary', async () => { node.showLibrary({ items: [makeItem(wanted, 'There it is', 1_000)] }); return { ok: true, value: { infoHash: wanted } } })
    click('set-look')
    await find('set-detail')
  })

  test('an address that is no infohash says so and offers nothing', async () => {
    await open('library/nonsense')
    expect((await find('set-unknown')).textContent).toContain('40 hex digits')
    expect(all('set-look')).toHaveLength(0)
  })

  test('removing it leads back to the list', async () => {
    await setPage(SETS.snapshot)
    click('set-remove')
    await find('set-remove-confirm')
    click('set-remove-confirm-yes')
    await find('library-add')
    expect(window.location.hash).toBe('#/library')
  })
})

describe('library: limits', () => {
  /** GiB that the browser gives. */
  const allow = ({ node }: Opened, gib: number): void => { node.show({ storage: { ...node.current().storage, quota: gib * 1024 ** 3 } }) }

  async function limits (): Promise<Opened> {
    const opened = await open('library/settings')
    await find('limits')
    allow(opened, 2_048)
    return opened
  }

  test('they are shown in their units and saved in bytes, only what has changed', async () => {
    const { node } = await limits()
    expect(['limits-budget', 'limits-up', 'limits-down'].map(id => (get(id) as HTMLInputElement).value)).toEqual(['2', '2.5', '0'])
    expect(text('limits-used')).toBe('801 MiB of 2.0 GiB used')
    expect(get('limits-save').hasAttribute('disabled')).toBe(true)
    type('limits-down', '0.75')
    fireEvent.submit(get('limits'))
    await waitFor(() => { expect(node.called('setLibrary')).toEqual([[{ downLimit: 750_000 }]]) })
    await find('toast-action')
    click('toast-action')
    await waitFor(() => { expect(node.called('setLibrary')[1]).toEqual([{ budget: 2 * 1024 ** 3, upLimit: 2_500_000, downLimit: 0 }]) })
    await waitFor(() => { expect((get('limits-down') as HTMLInputElement).value).toBe('0') })
  })

  test('what is no number is refused at its field, and nothing is saved', async () => {
    const { node } = await limits()
    type('limits-up', 'fast')
    type('limits-budget', '0')
    await waitFor(() => { expect(errorOf('limits-up')).toMatch(/MB per second, such as 2\.5, or 0 for no limit/) })
    expect(errorOf('limits-budget')).toMatch(/At least 0\.1 GiB/)
    fireEvent.submit(get('limits'))
    expect(node.called('setLibrary')).toHaveLength(0)
    click('limits-reset')
    await waitFor(() => { expect(errorOf('limits-up')).toBe('') })
  })

  test('what is too little or too much is refused in the units of the field, and asks for no deletion', async () => {
    const { node } = await limits()
    type('limits-budget', '0.0001')
    expect(errorOf('limits-budget')).toBe('At least 0.1 GiB: less has no room for the data of a job.')
    fireEvent.submit(get('limits'))
    expect(all('limits-confirm')).toHaveLength(0)
    type('limits-budget', '999999999999')
    expect(errorOf('limits-budget')).toBe('At most 1,024 GiB.')
    type('limits-budget', '0,5')
    expect(errorOf('limits-budget')).toMatch(/^Write decimals with a point, and thousands without a comma/)
    type('limits-budget', '3')
    expect(errorOf('limits-budget')).toBe('')
    type('limits-down', '5000')
    expect(errorOf('limits-down')).toBe('At most 1,073 MB per second, or 0 for no limit.')
    type('seeding-set-aside', '1001')
    expect(errorOf('seeding-set-aside')).toBe('At most 1,000 credits can be set aside in an epoch.')
    type('seeding-set-aside', '9'.repeat(40))
    expect(errorOf('seeding-set-aside')).toBe('This is more than all the credits there can ever be.')
    expect(node.called('setLibrary')).toHaveLength(0)
  })

  test('more than the browser gives is refused with the number that it gives, and can be entered', async () => {
    const opened = await limits()
    allow(opened, 10.128)
    type('limits-budget', '50')
    await waitFor(() => { expect(errorOf('limits-budget')).toBe('At most 10.12 GiB: the browser gives this page no more, for all its tabs. Free some space on this device for more.') })
    fireEvent.submit(get('limits'))
    expect(opened.node.called('setLibrary')).toHaveLength(0)
    type('limits-budget', '10.12')
    expect(errorOf('limits-budget')).toBe('')
    click('limits-reset')
    expect(all('limits-over-quota')).toHaveLength(0)
    allow(opened, 1)
    expect((await find('limits-over-quota')).textContent).toMatch(/1\.0 GiB in all, less than this limit/)
    // Another limit can be changed all the same.
    type('limits-down', '1')
    fireEvent.submit(get('limits'))
    await waitFor(() => { expect(opened.node.called('setLibrary')).toEqual([[{ downLimit: 1_000_000 }]]) })
  })

  test('a speed too small to count is refused with the least that does, and is not taken for no limit', async () => {
    const { node } = await limits()
    for (const little of ['0.0000001', '0.0009']) {
      type('limits-up', little)
      expect(errorOf('limits-up')).toBe('At least 0.001 MB per second, or 0 for no limit.')
      fireEvent.submit(get('limits'))
    }
    expect(node.called('setLibrary')).toHaveLength(0)
    for (const fine of ['0.001', '0', '0.0']) {
      type('limits-up', fine)
      expect(errorOf('limits-up')).toBe('')
    }
  })

  test('they are said to be of this tab', async () => {
    await limits()
    expect(get('limits').textContent).toMatch(/These limits are of this tab: every other tab of this page has its own/)
  })

  test('what was refused as a whole goes from the screen once an entry is corrected', async () => {
    const { node } = await limits()
    node.answer('setLibrary', refuse('settings', 'the disk does not take them'))
    type('limits-budget', '3')
    fireEvent.submit(get('limits'))
    await find('limits-refused')
    type('limits-budget', '2.5')
    expect(all('limits-refused')).toHaveLength(0)
  })

  test('a refusal of the node stands at its field', async () => {
    const { node } = await limits()
    node.answer('setLibrary', refuse('budget', 'the browser allows 3 GiB at most'))
    type('limits-budget', '500')
    fireEvent.submit(get('limits'))
    await waitFor(() => { expect(errorOf('limits-budget')).toBe('The browser allows 3 GiB at most.') })
    expect((get('limits-budget') as HTMLInputElement).value).toBe('500')
  })

  test('less than is stored is asked about first, since it deletes', async () => {
    const { node } = await limits()
    type('limits-budget', '0.5')
    fireEvent.submit(get('limits'))
    expect(words(await find('limits-confirm'))).toContain('289 MiB have no room')
    expect(node.called('setLibrary')).toHaveLength(0)
    click('limits-confirm-yes')
    await waitFor(() => { expect(node.called('setLibrary')).toEqual([[{ budget: 512 * MIB }]]) })
    await find('toast')
    expect(all('toast-action')).toHaveLength(0)
  })

  test('earnings: what receipts pay now, what waits for the end of the epoch, and what was paid for', async () => {
    await limits()
    expect(text('earnings-payable')).toBe('1.05 credits for 5 receipts of the last epoch, an eighth burned')
    expect(text('earnings-signed')).toBe('96.0 MiB redeemable in 44 blocks')
    expect(text('earnings-unpaid')).toContain('12.0 MiB')
    expect(text('earnings-paid')).toMatch(/1\.5 GiB.*by 7 payers, for 11 sets/)
    expect(text('earnings-in')).toContain('1.2 GiB')
    expect(text('earnings-out')).toContain('340 MiB')
  })

  test('earnings of a tab that nobody has signed for', async () => {
    const { node } = await limits()
    node.showLibrary({ receiptsIn: 0, receiptsOut: 0 })
    node.show({ seeding: { epoch: 0, blocksLeft: 9, signed: 0, payable: 0n, receipts: 0, unpaid: 0, sent: false, setAside: 0n, counters: { bytes: 0, leechers: 0, sets: 0 } } })
    await waitFor(() => { expect(text('earnings')).toContain('Nothing earned yet') })
    // Who has signed for others' bytes sees for how many.
    node.showLibrary({ receiptsIn: 0, receiptsOut: 5 * 1024 ** 2 })
    await waitFor(() => { expect(text('earnings-out')).toContain('5.0 MiB') })
  })

  test('what is set aside is typed in credits, and redeeming can be switched off', async () => {
    const { node } = await limits()
    type('seeding-set-aside', 'much')
    await waitFor(() => { expect(errorOf('seeding-set-aside')).toMatch(/number of credits/) })
    fireEvent.submit(get('seeding-pay'))
    expect(node.called('setLibrary')).toHaveLength(0)
    type('seeding-set-aside', '0.25')
    fireEvent.submit(get('seeding-pay'))
    await waitFor(() => { expect(node.called('setLibrary')).toEqual([[{ setAside: 250_000 }]]) })
    click('seeding-redeem')
    await waitFor(() => { expect(node.called('setLibrary')[1]).toEqual([{ redeem: false }]) })
  })
})

test('the publisher is told apart by the key of the wallet', async () => {
  await list()
  expect(row(SETS.letters).querySelector('.publisher')?.textContent).toMatch(/^cw1.*you$/)
  expect(row(SETS.digits).querySelector('.publisher')?.textContent).not.toContain('you')
})
