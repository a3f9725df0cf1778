/** Ways into the library: what a thing is taken for, what is said before it is done, and what goes wrong. */
import { fireEvent } from '@solidjs/testing-library'
import { describe, expect, test } from 'vitest'
import type { NodeApi } from '../../src/bridge/api.ts'
import { TORRENT_MAX_BYTES } from '../../src/ui/torrents.ts'
import { SETS } from './fakeLibrary.ts'
import { BENCHMARK, PAID_JOB } from './fakeNode.ts'
import { hex } from './hex.ts'
import { all, choose, click, errorOf, find, get, open, text, type, waitFor, type Opened } from './support.tsx'

const HASH = '0123456789abcdef0123456789abcdef01234567'
const BIRDS = [new File(['1,2,a\n'], 'birds-train.csv'), new File(['3,4,b\n'], 'birds-test.csv')]
const value = (testid: string): string => (get(testid) as HTMLInputElement).value
const refuse = (field: string, message: string) => async () => ({ ok: false as const, errors: [{ field, message }] })

async function adding (options: Parameters<typeof open>[1] = {}): Promise<Opened> {
  const opened = await open('library/add', options)
  await find('library-adding')
  return opened
}

async function sharing (files = BIRDS): Promise<Opened> {
  const opened = await adding()
  choose('library-files', files)
  await find('share')
  return opened
}

describe('add: a link', () => {
  test('it is said what the text was taken for, then it is added and shown', async () => {
    const { node } = await adding()
    type('library-source', `magnet:?xt=urn:btih:${HASH}&dn=Old+maps&tr=wss%3A%2F%2Fa`)
    expect(text('library-source-taken')).toBe('Taken for a magnet link to “Old maps”, infohash 012345…4567, with 1 tracker.')
    click('library-source-add')
    await find('set-detail')
    expect(node.called('addToLibrary')).toEqual([[`magnet:?xt=urn:btih:${HASH}&dn=Old+maps&tr=wss%3A%2F%2Fa`]])
    expect(window.location.hash).toBe(`#/library/${HASH}`)
  })

  test('an infohash in capitals is one', async () => {
    const { node } = await adding()
    type('library-source', ` ${HASH.toUpperCase()} `)
    expect(text('library-source-taken')).toContain('Taken for an infohash')
    fireEvent.submit(get('library-source').closest('form')!)
    await find('set-detail')
    expect(node.called('addToLibrary')).toEqual([[HASH]])
  })

  test('nonsense and nothing are refused at the field', async () => {
    const { node } = await adding()
    click('library-source-add')
    await waitFor(() => { expect(errorOf('library-source')).toBe('Paste a magnet link or an infohash.') })
    type('library-source', HASH.slice(1))
    await waitFor(() => { expect(errorOf('library-source')).toMatch(/this has 39/) })
    click('library-source-add')
    expect(node.called('addToLibrary')).toHaveLength(0)
    expect(value('library-source')).toBe(HASH.slice(1))
  })

  test('what is here already is named, with the way there', async () => {
    await adding()
    type('library-source', SETS.letters)
    expect(get('library-known').querySelector('a')?.getAttribute('href')).toBe(`#/library/${SETS.letters}`)
    expect(text('library-known')).toContain('Handwritten letters, round 60.cwm')
  })

  test('a refusal of the node stands at the field until the text changes', async () => {
    const { node } = await adding()
    node.answer('addToLibrary', refuse('source', 'four sets are being looked for already'))
    type('library-source', HASH)
    click('library-source-add')
    await waitFor(() => { expect(errorOf('library-source')).toBe('Four sets are being looked for already.') })
    type('library-source', HASH.replace('0', '1'))
    expect(errorOf('library-source')).toBe('')
  })

  test('a link that is dropped goes into the field', async () => {
    await adding()
    const drop = new Event('drop', { bubbles: true, cancelable: true })
    Object.defineProperty(drop, 'dataTransfer', { value: { files: [], getData: () => HASH } })
    get('library-drop').dispatchEvent(drop)
    await waitFor(() => { expect(value('library-source')).toBe(HASH) })
    expect(drop.defaultPrevented).toBe(true)
  })
})

describe('add: a .torrent file', () => {
  test('it is taken for what it names, and its bytes go to the node', async () => {
    const { node } = await adding()
    choose('library-files', [new File(['d4:infod'], 'maps.torrent')])
    expect((await find('library-taken')).textContent).toMatch(/Taken for a \.torrent file.*maps\.torrent.*is fetched from others/)
    expect(node.called('addToLibrary')).toHaveLength(0)
    click('library-torrent-add')
    await find('set-detail')
    expect(new TextDecoder().decode(node.called('addToLibrary')[0]?.[0] as Uint8Array)).toBe('d4:infod')
  })

  test('one that is none is refused with its name', async () => {
    await adding()
    choose('library-files', [new File(['hello'], 'maps.torrent')])
    await find('library-taken')
    click('library-torrent-add')
    expect((await find('library-torrent-error')).textContent).toMatch(/^maps\.torrent: Not a \.torrent file/)
  })

  test('one that is far too large is not even read', async () => {
    const { node } = await adding()
    const large = new File(['d'], 'large.torrent')
    Object.defineProperty(large, 'size', { value: TORRENT_MAX_BYTES + 1 })
    choose('library-files', [large])
    await find('library-taken')
    click('library-torrent-add')
    expect((await find('library-torrent-error')).textContent).toMatch(/Too large.*10\.0 MiB/)
    expect(node.called('addToLibrary')).toHaveLength(0)
  })

  test('it can be shared as a file instead', async () => {
    await adding()
    choose('library-files', [new File(['d'], 'maps.torrent')])
    await find('library-taken')
    click('library-torrent-share')
    await find('share')
    expect(value('share-name')).toBe('maps.torrent')
    expect(all('library-taken')).toHaveLength(0)
  })
})

describe('add: files to share', () => {
  test('name and kind are proposed, everything goes along, and the set is shown', async () => {
    const { node } = await sharing()
    expect(text('share')).toMatch(/Taken for 2 files to share, 12 B.*Everybody in the network can fetch/)
    expect(value('share-name')).toBe('birds')
    expect((get('share-kind-dataset') as HTMLInputElement).checked).toBe(true)
    type('share-name', 'Songs of birds')
    fireEvent.change(get('share-licence'), { target: { value: 'CC-BY-4.0' } })
    type('share-about', ' Two seconds each. ')
    fireEvent.change(get('share-parents'), { target: { value: SETS.digits } })
    click('share-submit')
    await find('set-detail')
    expect(node.called('shareFiles')).toEqual([[BIRDS, { name: 'Songs of birds', kind: 'dataset', licence: 'CC-BY-4.0', about: 'Two seconds each.', parents: [SETS.digits] }]])
  })

  test('a dropped file is taken like a chosen one', async () => {
    await adding()
    const drop = new Event('drop', { bubbles: true, cancelable: true })
    Object.defineProperty(drop, 'dataTransfer', { value: { files: [BIRDS[0]] } })
    get('library-drop').dispatchEvent(drop)
    await find('share')
    expect(value('share-name')).toBe('birds-train.csv')
  })

  test('more files join, the same one does not twice, and each can be taken out', async () => {
    await sharing([BIRDS[0]!])
    choose('library-files', BIRDS)
    await waitFor(() => { expect(all('share-file')).toHaveLength(2) })
    fireEvent.click(all('share-file')[0]!.querySelector('button')!)
    await waitFor(() => { expect(all('share-file').map(f => f.textContent)).toEqual([expect.stringContaining('birds-test.csv')]) })
    fireEvent.click(all('share-file')[0]!.querySelector('button')!)
    await waitFor(() => { expect(all('share')).toHaveLength(0) })
  })

  test('a licence in own words must be given', async () => {
    const { node } = await sharing()
    fireEvent.change(get('share-licence'), { target: { value: 'own' } })
    click('share-submit')
    await waitFor(() => { expect(errorOf('share-own-licence')).toMatch(/Say under which terms/) })
    expect(node.called('shareFiles')).toHaveLength(0)
    type('share-own-licence', ' for teaching only ')
    click('share-submit')
    await find('set-detail')
    expect(node.called('shareFiles')[0]?.[1]).toMatchObject({ licence: 'for teaching only' })
  })

  test.each([['', /find it by/], ['a/b', /no slashes/], ['ü'.repeat(101), /at most 200 characters.*comes to 202/], ['a'.repeat(201), /^At most 200 characters; this has 201\.$/]])('the name %j is refused at its field', async (name, message) => {
    const { node } = await sharing()
    type('share-name', name)
    click('share-submit')
    await waitFor(() => { expect(errorOf('share-name')).toMatch(message) })
    expect(node.called('shareFiles')).toHaveLength(0)
  })

  test('two files of one name, and more than may be kept, are refused at the files', async () => {
    const { node } = await sharing([new File(['a'], 'x.csv', { lastModified: 1 }), new File(['bb'], 'x.csv', { lastModified: 2 })])
    expect(text('share-files-error')).toContain('Two files are named x.csv')
    node.showLibrary({ settings: { budget: 1, upLimit: 0, downLimit: 0, redeem: true, setAside: 0 } })
    fireEvent.click(all('share-file')[0]!.querySelector('button')!)
    await waitFor(() => { expect(text('share-files-error')).toMatch(/These are 2 B; the library may keep 1 B/) })
    click('share-submit')
    expect(node.called('shareFiles')).toHaveLength(0)
  })

  test('while it is hashed one sees how far it is, and can end it', async () => {
    const { node } = await sharing()
    let finish: (o: Awaited<ReturnType<NodeApi['shareFiles']>>) => void = () => {}
    node.answer('shareFiles', async () => await new Promise(resolve => { finish = resolve }))
    click('share-submit')
    await find('share-cancel')
    node.showLibrary({ sharing: 0.42 })
    await waitFor(() => { expect(text('share')).toContain('42 % done') })
    click('share-cancel')
    await waitFor(() => { expect(node.called('cancelShare')).toHaveLength(1) })
    finish({ ok: false, errors: [{ field: 'files', message: 'it was cancelled' }] })
    await waitFor(() => { expect(all('share-cancel')).toHaveLength(0) })
    expect(text('share')).not.toContain('cancelled')
  })

  test('while it is hashed one sees that it works; a refusal keeps every entry', async () => {
    const { node } = await sharing()
    let finish: (o: Awaited<ReturnType<NodeApi['shareFiles']>>) => void = () => {}
    node.answer('shareFiles', async () => await new Promise(resolve => { finish = resolve }))
    type('share-about', 'kept')
    click('share-submit')
    await waitFor(() => { expect(text('share')).toContain('Reading and hashing 12 B. Keep this tab open.') })
    expect(get('share-submit').getAttribute('aria-busy')).toBe('true')
    finish({ ok: false, errors: [{ field: 'name', message: 'is taken by another set' }, { field: 'store', message: 'the disk is full' }] })
    await waitFor(() => { expect(errorOf('share-name')).toBe('Is taken by another set.') })
    expect(text('share-refused')).toContain('The disk is full.')
    expect(value('share-about')).toBe('kept')
    expect(get('share-submit').getAttribute('aria-busy')).toBe('false')
  })
})

describe('add: the model of a job', () => {
  test('the job that is chosen is shared', async () => {
    const { node } = await adding()
    fireEvent.change(get('share-model-job'), { target: { value: PAID_JOB } })
    click('share-model')
    await find('set-detail')
    expect(node.called('shareModel')).toEqual([[PAID_JOB]])
    expect(window.location.hash).toBe(`#/library/${hex(`model-${PAID_JOB}`, 40)}`)
  })

  test('a job has the button too, and a refusal stands beside it', async () => {
    const { node } = await open(`jobs/${BENCHMARK}`)
    await find('job-detail')
    node.answer('shareModel', refuse('job', 'this tab does not hold the newest state yet'))
    click('share-model')
    expect((await find('share-model-error')).textContent).toBe('This tab does not hold the newest state yet.')
    expect(node.called('shareModel')).toEqual([[BENCHMARK]])
  })
})
