/** What the page reads out of texts, bit fields and lists of files by itself. */
import { describe, expect, test } from 'vitest'
import type { LibraryItem } from '../../src/bridge/api.ts'
import { rate } from '../../src/ui/format.ts'
import { healthOf, plainText, stateWords, storeWords } from '../../src/ui/libraryWords.ts'
import { cellsOf, fileShares, readSource, SOURCE_MAX_CHARS, spreadOf } from '../../src/ui/torrents.ts'
import { sortFiles } from '../../src/ui/views/LibraryAdd.tsx'
import { parseAmount, printAmount } from '../../src/ui/views/LibraryLimits.tsx'
import { guessKind, guessName } from '../../src/ui/views/LibraryShare.tsx'
import { bits, makeItem, makePeer } from './fakeLibrary.ts'

const HASH = '0123456789abcdef0123456789abcdef01234567'
/** The same 160 bits, five at a time. */
const HASH32 = 'AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH'

describe('a pasted text', () => {
  test.each([
    [`  ${HASH.toUpperCase()}\n`, { kind: 'infohash', infoHash: HASH, text: HASH }],
    [HASH32, { kind: 'infohash', infoHash: HASH, text: HASH }],
    [`magnet:?xt=urn:btih:${HASH}`, { kind: 'magnet', infoHash: HASH, trackers: 0 }],
    [`magnet:?dn=Old+maps&xt=urn:btih:${HASH32.toLowerCase()}&tr=wss%3A%2F%2Fa&tr=wss%3A%2F%2Fb`, { kind: 'magnet', infoHash: HASH, name: 'Old maps', trackers: 2 }],
    [`MAGNET:?xt=urn:btmh:1220aa&xt=urn:btih:${HASH}`, { kind: 'magnet', infoHash: HASH }],
    ['', { kind: 'nothing' }]
  ])('%s is taken for what it is', (text, source) => { expect(readSource(text)).toMatchObject(source) })

  test.each([
    [HASH.slice(1), /40 hex digits; this has 39\.$/],
    [HASH + HASH.slice(0, 24), /this has 64\. .*version 2/],
    ['magnet:?dn=x', /names no infohash/],
    [`magnet:?xt=urn:btih:${HASH}0`, /names no infohash/],
    ['magnet:?xt=urn:btmh:1220aa', /version 2/],
    ['https://example.org/a.torrent', /web address.*drop it here/],
    ['some words', /magnet:\?xt=/],
    ['m'.repeat(SOURCE_MAX_CHARS + 1), /too long/]
  ])('%s is refused with what was expected', (text, error) => {
    expect(readSource(text)).toMatchObject({ kind: 'wrong', error: expect.stringMatching(error) as string })
  })

  test('torrent files alone mean what they name; among others they are files', () => {
    const [a, b] = [new File(['d'], 'a.TORRENT'), new File(['x'], 'b.csv')]
    expect(sortFiles([a])).toEqual({ torrents: [a], files: [] })
    expect(sortFiles([a, b])).toEqual({ torrents: [], files: [a, b] })
    expect(sortFiles([])).toEqual({ torrents: [], files: [] })
  })
})

describe('pieces', () => {
  const set = { pieces: 10, have: bits(10, i => i < 3 || i === 9), availability: Uint8Array.of(1, 1, 0, 0, 1, 2, 3, 4, 200, 5) }

  test('the first piece is the highest bit, and every count is of the pieces there are', () => {
    expect(bits(10, i => i === 0 || i === 9)).toEqual(Uint8Array.of(0x80, 0x40))
    expect(spreadOf(set)).toEqual({ here: 4, reachable: 8, lost: 1, copies: 0, most: 200 })
    expect(spreadOf({ ...set, availability: new Uint8Array(0) })).toMatchObject({ reachable: 0, lost: 6, copies: 0, most: 0 })
    expect(spreadOf({ ...set, pieces: 0 })).toBeUndefined()
  })

  test('a cell tells the worst of what it covers', () => {
    expect(cellsOf(set, 99, 'here')).toEqual(['here', 'here', 'here', 'nobody', 'one', 'few', 'few', 'many', 'many', 'here'])
    expect(cellsOf(set, 99, 'others')).toEqual(['one', 'one', 'nobody', 'nobody', 'one', 'few', 'few', 'many', 'many', 'many'])
    // Three cells of four, four and two pieces.
    expect(cellsOf(set, 3, 'here')).toEqual(['nobody', 'one', 'part'])
    expect(cellsOf({ ...set, pieces: 1_000_000 }, 768, 'here').length).toBeLessThanOrEqual(768)
  })

  test('a file is whole when every piece that it touches is here', () => {
    const files = [{ path: 'a', bytes: 10 }, { path: 'b', bytes: 0 }, { path: 'c', bytes: 11 }, { path: 'd', bytes: 3 }]
    // Pieces of 8 bytes: a is in 0 and 1, c in 1 and 2, d in 2.
    expect(fileShares({ files, pieceBytes: 8, have: bits(3, i => i < 2) })).toEqual([1, 1, 0.5, 0])
    expect(fileShares({ files, pieceBytes: 8, have: bits(3, () => true) })).toEqual([1, 1, 1, 1])
  })
})

describe('health', () => {
  const partly = { state: 'downloading', have: bits(4, i => i === 0), haveBytes: 262_144 } as const
  const item = (part: Partial<LibraryItem>): LibraryItem => makeItem(HASH, 'x', 1024 * 1024, part)

  test.each<readonly [Partial<LibraryItem>, string, string, RegExp]>([
    [{}, 'good', 'Good', /2 whole copies/],
    [{ availability: new Uint8Array(4).fill(1) }, 'good', 'One more copy', /beside the one here/],
    [{ availability: Uint8Array.of(1, 0, 1, 1), seeders: 0 }, 'idle', 'Whole only here', /75 % of the pieces are also elsewhere/],
    [{ availability: new Uint8Array(4), peers: [], seeders: 0 }, 'idle', 'Only here', /Keep this tab open/],
    [{ availability: new Uint8Array(4), peers: [], seeders: 1 }, 'idle', 'No other linked', /^1 other seeder said to have all of it; none is linked/],
    [{ ...partly, availability: Uint8Array.of(0, 0, 1, 1), seeders: 1 }, 'warn', 'No seeder linked', /goes on when one is/],
    [{ ...partly, availability: new Uint8Array(4).fill(1) }, 'warn', 'One copy', /if one of them leaves/],
    [{ ...partly, availability: Uint8Array.of(0, 1, 1, 1) }, 'warn', 'Just enough', /some pieces are only here/],
    [{ ...partly, availability: Uint8Array.of(0, 0, 1, 1), seeders: 0 }, 'bad', 'Pieces missing', /1 piece of 4 is with nobody.*who has it/],
    [{ ...partly, availability: Uint8Array.of(0, 0, 0, 1), seeders: 0 }, 'bad', 'Pieces missing', /2 pieces of 4 are with nobody.*who has them/],
    [{ ...partly, availability: new Uint8Array(4), peers: [] }, 'bad', 'Nobody in reach', /goes on when one is found/],
    [{ ...partly, state: 'paused', availability: new Uint8Array(4), peers: [] }, 'idle', 'Not looked for', /paused/],
    [{ state: 'found', pieces: 0, peers: [], seeders: 4, haveBytes: 0 }, 'idle', 'Offered', /4 seeders/],
    [{ state: 'metadata', pieces: 0, bytes: 0, haveBytes: 0, peers: [makePeer(1)], seeders: 0 }, 'warn', 'No seeder', /Nobody/]
  ])('%j is %s: %s', (part, tone, label, words) => {
    const health = healthOf(item(part))
    expect(health).toMatchObject({ tone, label })
    expect(health.text).toMatch(words)
  })

  test('of a set that is here whole nobody is told that none of it is in reach', () => {
    expect(healthOf(item({ availability: new Uint8Array(4), peers: [], seeders: 0 })).share).toBeUndefined()
    expect(healthOf(item({ availability: Uint8Array.of(1, 0, 1, 1), seeders: 0 })).share).toBeUndefined()
    expect(healthOf(item({ ...partly, availability: Uint8Array.of(0, 0, 1, 1), seeders: 0 })).share).toBe(0.5)
  })

  test('a whole set that is paused is not shared, and says so', () => {
    expect(stateWords(item({ state: 'paused' })).label).toBe('Not shared')
    expect(stateWords(item({ ...partly, state: 'paused' })).label).toBe('Paused')
  })
})

describe('words', () => {
  test('memory only, less than wished, and all well', () => {
    const view = { items: [], settings: { budget: 1, upLimit: 0, downLimit: 0, redeem: true, setAside: 0 }, used: 0, receiptsIn: 0, receiptsOut: 0, banned: [] }
    expect(storeWords({ ...view, store: 'memory' })).toMatchObject({ title: 'Kept in memory only', text: expect.stringMatching(/^What you fetch.*lost when this tab closes/) as string })
    expect(storeWords({ ...view, store: 'opfs', storeProblem: 'The disk is nearly full' })).toMatchObject({ title: 'Less can be kept than you allow', text: expect.stringMatching(/^The disk is nearly full\. Free some space/) as string })
    expect(storeWords({ ...view, store: 'opfs' })).toBeUndefined()
  })

  test('a stranger\'s text cannot turn the line or hide', () => {
    expect(plainText('photo\u202egpj.exe\u0000\n')).toBe('photo gpj.exe')
  })

  test.each([['2.5', 2_500_000], ['0', 0], ['0,4', undefined], ['1,000', undefined], ['.5', 500_000], [' 12 ', 12_000_000], ['', undefined], ['fast', undefined], ['-1', undefined], ['1e9', undefined], ['0.0000001', 1], ['0.0', 0], ['1.2.3', undefined]])('%j MB/s', (text, n) => {
    expect(parseAmount(text, 1_000_000)).toBe(n)
  })

  test('an amount is printed as it can be entered', () => {
    expect(printAmount(2_500_000, 1_000_000)).toBe('2.5')
    expect(printAmount(2 * 1024 ** 3, 1024 ** 3)).toBe('2')
    expect([0, 812, 38_400, 3_420_000].map(rate)).toEqual(['0 B/s', '812 B/s', '38.4 kB/s', '3.42 MB/s'])
  })

  test('names and kinds are guessed from files', () => {
    const named = (...names: string[]): Array<{ name: string }> => names.map(name => ({ name }))
    expect(guessName(named('a.csv'))).toBe('a.csv')
    expect(guessName(named('birds-train.csv', 'birds-test.csv'))).toBe('birds')
    expect(guessName(named('one.csv', 'two.csv'))).toBe('')
    expect(guessKind(named('a.csv', 'b.csv.gz', 'train-images-idx3-ubyte.gz'))).toBe('dataset')
    expect(guessKind(named('model.cwm'))).toBe('model')
    expect(guessKind(named('model.cwm', 'notes.txt'))).toBe('file')
    expect(guessKind([])).toBe('file')
  })
})
