/** A scripted library: a set in every state, a swarm, bans and receipts. Nothing is random. */
import type { FieldError, LibraryItem, LibraryView, NodeApi, Outcome, SwarmPeerView } from '../../src/bridge/api.ts'
import { hex } from './hex.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

export interface LibraryOptions { readonly items?: number, readonly store?: LibraryView['store'], readonly storeProblem?: string }
interface World extends LibraryOptions { readonly now: number, readonly mine: string, readonly job: string }

export const SETS = {
  letters: hex('set-letters', 40), digits: hex('set-digits', 40), flowers: hex('set-flowers', 40), faces: hex('set-faces', 40),
  snapshot: hex('set-snapshot', 40), broken: hex('set-broken', 40), paused: hex('set-paused', 40), unnamed: hex('set-unnamed', 40)
} as const

const magnet = (infoHash: string, name: string): string => `magnet:?xt=urn:btih:${infoHash}&dn=${encodeURIComponent(name)}`

/** The bits of the pieces for which `of` holds, first one highest. */
export function bits (pieces: number, of: (i: number) => boolean): Uint8Array {
  const out = new Uint8Array(Math.ceil(pieces / 8))
  for (let i = 0; i < pieces; i++) if (of(i)) out[i >> 3]! |= 0x80 >> (i & 7)
  return out
}

export function makePeer (i: number, part: Partial<SwarmPeerView> = {}): SwarmPeerView {
  return { peer: `12D3KooW${hex(`swarm-${i}`, 44)}`, via: 'mesh', has: 1, down: 0, up: 0, downPerSecond: 0, upPerSecond: 0, receiptsIn: 0, receiptsOut: 0, choked: false, ...part }
}

/** A set of which everything is here and two peers have copies; `part` changes what it says. */
export function makeItem (infoHash: string, name: string, bytes: number, part: Partial<LibraryItem> = {}): LibraryItem {
  const pieceBytes = bytes > 256 * MIB ? MIB : 256 * 1024
  const pieces = Math.ceil(bytes / pieceBytes)
  const files = part.files ?? [{ path: name, bytes }]
  return {
    infoHash, name, bytes, files, pieceBytes, pieces, have: bits(pieces, () => true), haveBytes: bytes, availability: new Uint8Array(pieces).fill(2), state: 'complete',
    seeders: 3, leechers: 0, down: bytes, up: 0, downPerSecond: 0, upPerSecond: 0, peers: [makePeer(1), makePeer(2)], hosting: { passed: 0, tried: 0, unproven: 0 }, magnet: magnet(infoHash, name), addedAt: 0, forNode: false, ...part
  }
}

function makeItems ({ now, mine, job }: World): LibraryItem[] {
  const other = hex('miner-3')
  const note = { licence: 'CC-BY-4.0', about: '', publisher: other, parents: [] }
  const size = 412 * MIB + 77_301
  const pieces = Math.ceil(size / MIB)
  const here = (i: number): boolean => i < 190 || (i * 7) % 11 < 3
  const nobody = (i: number): boolean => i > 300 && i < 309 && !here(i)
  return [
    makeItem(SETS.letters, 'Handwritten letters, round 60.cwm', 181_248, {
      note: { kind: 'model', licence: 'MIT', about: 'Five convolutions, 26 letters. 80 % right on 6,000 held-out records.', publisher: mine, job, round: 60, parents: [SETS.digits] },
      up: 3 * 181_248, upPerSecond: 38_400, addedAt: now - 60_000, seeders: 3, leechers: 1, peers: [makePeer(1, { up: 181_248, receiptsIn: 181_248 }), makePeer(2, { up: 262_144, receiptsIn: 245_760, upPerSecond: 38_400 })]
    }),
    makeItem(SETS.digits, 'Letters and digits', size, {
      files: [{ path: 'train/images-idx3-ubyte.gz', bytes: 330 * MIB }, { path: 'train/labels-idx1-ubyte.gz', bytes: 4 * MIB }, { path: 'test/images-idx3-ubyte.gz', bytes: 78 * MIB }, { path: 'README.txt', bytes: 77_301 }],
      note: { ...note, kind: 'dataset', about: 'Scanned letters and digits in 28 × 28 grey values, split by writer.' },
      state: 'downloading', have: bits(pieces, here), haveBytes: Array.from({ length: pieces }, (_, i) => i).filter(here).length * MIB,
      availability: Uint8Array.from({ length: pieces }, (_, i) => nobody(i) ? 0 : 1 + (i * 5) % 6), seeders: 0, leechers: 6, down: 251 * MIB, up: 96 * MIB, downPerSecond: 3_420_000, upPerSecond: 812_000, addedAt: now - 300_000,
      peers: [
        makePeer(3, { has: 0.71, down: 120 * MIB, up: 44 * MIB, downPerSecond: 1_900_000, upPerSecond: 612_000, receiptsIn: 44 * MIB, receiptsOut: 120 * MIB }),
        makePeer(4, { has: 0.94, down: 98 * MIB, up: 40 * MIB, downPerSecond: 1_310_000, upPerSecond: 200_000, receiptsIn: 39 * MIB, receiptsOut: 98 * MIB }),
        makePeer(5, { peer: undefined, via: 'tracker', has: 0.42, down: 33 * MIB, downPerSecond: 210_000, up: 12 * MIB }),
        makePeer(6, { has: 0.08, choked: true })
      ]
    }),
    makeItem(SETS.flowers, 'Which flower is it.csv', 4_551, { note: { ...note, kind: 'dataset', licence: 'CC0-1.0', publisher: mine }, seeders: 0, peers: [], availability: new Uint8Array(1), addedAt: now - 900_000 }),
    makeItem(SETS.faces, 'Small faces, quantised.safetensors', 38 * MIB, {
      note: { ...note, kind: 'model', licence: 'for research, ask before you sell', parents: [SETS.letters, hex('somewhere else', 40)] },
      state: 'found', have: new Uint8Array(0), haveBytes: 0, availability: new Uint8Array(0), files: [], pieces: 0, pieceBytes: 0, peers: [], seeders: 4, leechers: 1, down: 0, addedAt: 0
    }),
    makeItem(SETS.snapshot, 'State at block 200', 10 * MIB, { note: { ...note, kind: 'snapshot', licence: '' }, addedAt: now - 1_500_000, seeders: 8, availability: new Uint8Array(40).fill(7), up: 40 * MIB, hosting: { passed: 12, tried: 15, unproven: 1 }, peers: [1, 2, 7, 8, 9].map(i => makePeer(i, { up: 8 * MIB, receiptsIn: 8 * MIB, hosting: i === 1 ? { passed: 12, tried: 12, unproven: 0 } : i === 9 ? { passed: 0, tried: 3, unproven: 1 } : undefined })) }),
    makeItem(SETS.broken, 'Street signs.zip', 90 * MIB, { note: { ...note, kind: 'dataset', licence: 'ODbL-1.0' }, state: 'failed', problem: 'The disk is full: 31 MiB are missing. Free some space, then try again.', have: bits(360, i => i < 236), haveBytes: 59 * MIB, availability: new Uint8Array(360).fill(1), seeders: 1, peers: [makePeer(2)], addedAt: now - 2_000_000 }),
    makeItem(SETS.paused, 'Birdsong, 2 s clips', 1.4 * GIB, { note: { ...note, kind: 'dataset', licence: 'CC-BY-NC-4.0' }, state: 'paused', have: bits(1434, i => i % 3 === 0), haveBytes: 478 * MIB, availability: new Uint8Array(1434), seeders: 0, peers: [], addedAt: now - 3_000_000 }),
    makeItem(SETS.unnamed, SETS.unnamed, 0, { state: 'metadata', have: new Uint8Array(0), haveBytes: 0, availability: new Uint8Array(0), files: [], pieces: 0, pieceBytes: 0, peers: [], seeders: 0, down: 0, addedAt: now - 10_000, magnet: magnet(SETS.unnamed, '') })
  ]
}

export function makeLibrary (world: World): LibraryView {
  return {
    items: makeItems(world).slice(0, world.items ?? 99), settings: { budget: 2 * GIB, upLimit: 2_500_000, downLimit: 0, redeem: true, setAside: 0 }, store: world.store ?? 'opfs', ...(world.storeProblem === undefined ? {} : { storeProblem: world.storeProblem }),
    used: 801 * MIB, receiptsIn: 1.2 * GIB, receiptsOut: 340 * MIB, banned: [{ peer: `12D3KooW${hex('bad seed', 44)}`, reason: 'piece 17 of Street signs.zip did not match its hash' }]
  }
}

type LibraryApi = Pick<NodeApi, 'library' | 'listenLibrary' | 'shareFiles' | 'cancelShare' | 'shareModel' | 'addToLibrary' | 'fetchItem' | 'pauseItem' | 'removeItem' | 'openFile' | 'torrentFile' | 'setLibrary'>

export interface FakeLibrary { readonly api: LibraryApi, show (change: Partial<LibraryView>): void, current (): LibraryView }

export function fakeLibrary (world: World): FakeLibrary {
  let view = makeLibrary(world)
  const listeners = new Set<(v: LibraryView) => void>()
  const done = <T>(value: T): Outcome<T> => ({ ok: true, value })
  const refuse = (field: string, message: string): { readonly ok: false, readonly errors: readonly FieldError[] } => ({ ok: false, errors: [{ field, message }] })
  const show = (change: Partial<LibraryView>): void => { view = { ...view, ...change }; for (const l of [...listeners]) l(structuredClone(view)) }
  const change = (infoHash: string, part: Partial<LibraryItem>): void => { show({ items: view.items.map(i => i.infoHash === infoHash ? { ...i, ...part } : i) }) }
  const add = (item: LibraryItem): Outcome<{ readonly infoHash: string }> => {
    if (!view.items.some(i => i.infoHash === item.infoHash)) show({ items: [item, ...view.items] })
    return done({ infoHash: item.infoHash })
  }
  const unknown = (infoHash: string, name: string): LibraryItem => makeItem(infoHash, name, 0, { state: 'metadata', have: new Uint8Array(0), haveBytes: 0, files: [], peers: [], seeders: 0 })
  const api: LibraryApi = {
    library: async () => view,
    listenLibrary: async listener => { listeners.add(listener); return () => { listeners.delete(listener) } },
    shareFiles: async (files, { name, ...note }) => add(makeItem(hex(`shared-${name}`, 40), name, files.reduce((n, f) => n + f.size, 0), { note: { ...note, publisher: world.mine }, files: files.map(f => ({ path: f.name, bytes: f.size })), peers: [], seeders: 0 })),
    cancelShare: async () => {},
    shareModel: async job => add(makeItem(hex(`model-${job}`, 40), 'model.cwm', 181_248, { note: { kind: 'model', licence: '', about: '', publisher: world.mine, job, parents: [] }, peers: [], seeders: 0 })),
    addToLibrary: async source => {
      if (typeof source !== 'string') return source[0] === 0x64 ? add(unknown(hex('from a file', 40), 'From a file')) : refuse('source', 'not a .torrent file: it does not begin with a dictionary')
      return add(unknown(/[0-9a-f]{40}/.exec(source)?.[0] ?? hex(source, 40), ''))
    },
    fetchItem: async infoHash => { change(infoHash, { state: 'downloading', problem: undefined }); return done({ infoHash }) },
    pauseItem: async infoHash => { change(infoHash, { state: 'paused', downPerSecond: 0, upPerSecond: 0 }) },
    removeItem: async infoHash => { show({ items: view.items.filter(i => i.infoHash !== infoHash) }) },
    openFile: async (_infoHash, path) => done(new Blob([path], { type: 'application/octet-stream' })),
    torrentFile: async () => done(new TextEncoder().encode('d4:infod6:lengthi1eee')),
    setLibrary: async change => { show({ settings: { ...view.settings, ...change } }); return done(view.settings) }
  }
  return { api, show, current: () => view }
}
