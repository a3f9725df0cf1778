/** Who is caught for a bad piece, where several sent blocks of it: whoever is proved to have lied, at last, and nobody else. */
import { expect, test, vi } from 'vitest'
import { decodeMetainfo } from '../../../src/core/torrent/metainfo.ts'
import { ALONE_MS } from '../../../src/net/swarm/bounds.ts'
import type { Link } from '../../../src/net/swarm/link.ts'
import { Proof } from '../../../src/net/swarm/proof.ts'
import type { Torrent, Wire } from '../../../src/net/swarm/webtorrentTypes.ts'
import type { SwarmEvent } from '../../../src/ports/swarm.ts'
import { connected, realNode } from './nodes.ts'
import { HAVE_ALL, RawPeer, UNCHOKE } from './rawPeer.ts'

const BLOCKS = 4
const right = (block: number): Uint8Array => Uint8Array.of(block)
const wrong = Uint8Array.of(99)

/** A torrent of one piece, as WebTorrent keeps it. */
class Piece {
  readonly length = BLOCKS
  readonly blocks: Uint8Array[] = []
  reserved = 0
  set (block: number, bytes: Uint8Array, _from: Wire): boolean {
    this.blocks[block] ??= bytes
    return this.blocks.filter(b => b !== undefined).length === BLOCKS
  }
}

function world (...names: readonly string[]) {
  let at = 0
  const caught: string[] = []
  const wires = names.map(peer => ({ peer, destroyed: false, peerChoking: false, peerPieces: { get: () => true } }))
  const asked: Array<readonly [peer: string, block: number]> = []
  const torrent = {
    destroyed: false, wires, pieces: [new Piece()] as Array<Piece | null>,
    _update: () => {},
    _request: (wire: { peer: string }, index: number) => {
      const piece = torrent.pieces[index]
      if (piece === null || piece.reserved === BLOCKS) return false
      asked.push([wire.peer, piece.reserved++])
      return true
    }
  }
  const links = new Map<unknown, Link>(wires.map(w => [w, { peer: w.peer } as Link]))
  const proof = new Proof({ torrent: torrent as unknown as Torrent, now: () => at, linkOf: w => links.get(w), onLiar: link => { caught.push(link.peer!) } })
  const wireOf = (peer: string): Wire => wires.find(w => w.peer === peer) as unknown as Wire
  const ask = (peer: string): boolean => torrent._request(wireOf(peer) as never, 0)
  return {
    caught, torrent, ask, proof,
    gone: (peer: string) => { Object.assign(wireOf(peer), { destroyed: true }) },
    after: (ms: number) => { at += ms },
    /** Each asked for a block and answering with it, in order; then WebTorrent looks at the hash. */
    bring: async (...given: ReadonlyArray<readonly [peer: string, bytes?: Uint8Array]>): Promise<void> => {
      for (const [i, [peer, bytes = right(i)]] of given.entries()) {
        expect(ask(peer)).toBe(true)
        const piece = torrent.pieces[0]!
        if (!piece.set(asked.at(-1)![1], bytes, wireOf(peer))) continue
        const isRight = piece.blocks.every((b, n) => b[0] === n)
        torrent.pieces[0] = isRight ? null : new Piece()
        if (isRight) await proof.isRight(0)
        else proof.isWrong(0)
      }
    }
  }
}

test('who sent all of a bad piece is caught at once', async () => {
  const w = world('liar', 'honest')
  await w.bring(['liar', wrong], ['liar'], ['liar'], ['liar'])
  expect(w.caught).toEqual(['liar'])
  await w.bring(['honest'], ['honest'], ['honest'], ['honest'])
  expect(w.caught).toEqual(['liar'])
})

test('of several nobody is, until one alone has brought it: then he who lied, gone or not', async () => {
  const w = world('liar', 'honest', 'other', 'another liar')
  await w.bring(['honest'], ['liar', wrong], ['other'], ['another liar', wrong])
  expect(w.caught).toEqual([])
  w.gone('liar')
  await w.bring(['honest'])
  for (const peer of ['other', 'another liar']) expect(w.ask(peer)).toBe(false)
  await w.bring(['honest', right(1)], ['honest', right(2)], ['honest', right(3)])
  expect(w.caught).toEqual(['liar', 'another liar'])
})

test('a liar who alone is asked is caught by what he brings, and what he sent before once it is right', async () => {
  const w = world('liar', 'second', 'honest')
  await w.bring(['liar', wrong], ['honest'], ['second', wrong], ['honest'])
  await w.bring(['liar'], ['liar'], ['liar', wrong], ['liar'])
  expect(w.caught).toEqual(['liar'])
  w.gone('liar')
  await w.bring(['second', wrong], ['second'], ['second'], ['second'])
  expect(w.caught).toEqual(['liar', 'second'])
  w.gone('second')
  await w.bring(['honest'], ['honest'], ['honest'], ['honest'])
  expect(new Set(w.caught)).toEqual(new Set(['liar', 'second']))
})

test('who alone is asked and sends nothing is passed over, with what he has begun; he is asked again when all were', async () => {
  const w = world('silent', 'honest')
  await w.bring(['honest'], ['silent', wrong], ['honest'], ['honest'])
  await w.bring(['silent', wrong])
  w.after(ALONE_MS - 1)
  expect(w.ask('honest')).toBe(false)
  w.after(1)
  // It is the other's turn, though the silent one asks first.
  expect(w.ask('silent')).toBe(false)
  await w.bring(['honest'])
  w.after(ALONE_MS)
  // Both were asked: what it has begun is of use to him who began it, and he has twice as long.
  expect(w.ask('honest')).toBe(true)
  expect(w.torrent.pieces[0]!.blocks).toEqual([right(0)])
  w.after(2 * ALONE_MS - 1)
  expect(w.ask('silent')).toBe(false)
  w.after(1)
  expect(w.ask('silent')).toBe(true)
  expect(w.torrent.pieces[0]!.blocks).toEqual([])
  expect(w.caught).toEqual([])
})

test('three names, each with one bad block among those of an honest seeder, are caught, and he is not; the file comes whole', async () => {
  const PIECE = 65_536
  const bytes = new Uint8Array(40 * PIECE).map((_, i) => (i >> 14) * 31 + i)
  const victim = await realNode()
  const honest = await realNode([victim.address])
  const liars = await Promise.all([0, 1, 2].map(async () => await realNode([victim.address])))
  const nodes = [victim, honest, ...liars]
  for (const n of nodes.slice(1)) await connected([victim, n])
  const torrent = await honest.swarm.share([new File([bytes], 'x.bin')], 'x.bin')
  const m = decodeMetainfo(torrent)
  if (!m.ok) throw new Error(m.detail)
  const { infoHash } = m.value
  await honest.swarm.follow(infoHash, { torrent, fetch: false })
  const events: SwarmEvent[] = []
  await victim.swarm.onEvent(e => { events.push(e) })
  await victim.swarm.follow(infoHash, { torrent, fetch: true })
  const lied = await Promise.all(liars.map(async liar => {
    const lie = { told: false }
    const peer = await RawPeer.open(liar, victim, infoHash)
    // Its lie comes at once, the rest so late that the other brings it.
    peer.onRequest = ({ piece, offset, length }) => {
      const at = piece * PIECE + offset
      const block = bytes.slice(at, at + length)
      if (lie.told) setTimeout(() => { peer.piece(piece, offset, block) }, 1_000)
      else peer.piece(piece, offset, block.map(b => b ^ 1))
      lie.told = true
    }
    peer.message(HAVE_ALL)
    peer.message(UNCHOKE)
    return lie
  }))
  await vi.waitFor(() => { expect(lied).toEqual(liars.map(() => ({ told: true }))) }, 5_000)
  await victim.swarm.peers(infoHash, [honest.name])
  const named = (): unknown[] => events.flatMap(e => e.type === 'offence' ? [e.link.peer] : [])
  await vi.waitFor(() => { expect(events.some(e => e.type === 'complete')).toBe(true) }, 20_000)
  await vi.waitFor(() => { expect(new Set(named())).toEqual(new Set(liars.map(l => l.name))) }, 5_000)
  expect(named()).toHaveLength(liars.length)
  for (const n of nodes) await n.end()
}, 60_000)
