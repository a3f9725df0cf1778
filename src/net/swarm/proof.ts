/**
 * Who has sent what is wrong, proved. A bad piece of which one peer sent every block is its fault. One of several
 * peers says only that one of them lied: what each of them sent is kept as a hash, and the piece is fetched anew
 * from one of them alone at a time, so it comes right or its sender is caught. Once it is right, whoever sent
 * another block before is caught, too, and nobody else: liars who only ever send a block of what an honest peer
 * serves as well make nobody else look like one.
 */
import { toHex } from '../../core/codec/ssz.ts'
import { ALONE_MS } from './bounds.ts'
import type { Link } from './link.ts'
import type { Torrent, TorrentPiece, Wire } from './webtorrentTypes.ts'

interface Block { readonly link: Link, readonly bytes: Uint8Array }

/** What came of a piece since it was begun, by block. */
interface Attempt { readonly piece: TorrentPiece, readonly blocks: Array<Block | undefined> }

/** What is kept of a block that may have been wrong. */
interface Suspect { readonly link: Link, readonly digest: string }

/** A piece that several peers sent, and that was wrong. */
interface Contested {
  readonly failed: Array<Promise<ReadonlyArray<Suspect | undefined>>>
  /** Who alone is asked for it, and since when nothing of it has come. */
  owner: Wire | undefined
  since: number
  patienceMs: number
  /** Whose all of it is that has come. */
  begun: Wire | undefined
  /** Those that did not bring it. */
  readonly tried: Set<Wire>
}

export interface ProofDeps {
  readonly torrent: Torrent
  readonly now: () => number
  readonly linkOf: (wire: Wire) => Link | undefined
  readonly onLiar: (link: Link, piece: number) => void
}

const nameOf = (link: Link): unknown => link.peer ?? link

/** One link of each of these peers. */
const distinct = (links: readonly Link[]): Link[] => [...new Map(links.map(l => [nameOf(l), l])).values()]

const sent = (a: Attempt | undefined): Block[] => a?.blocks.filter(b => b !== undefined) ?? []

async function digestsOf (a: Attempt): Promise<ReadonlyArray<Suspect | undefined>> {
  return await Promise.all(Array.from(a.blocks, async b => b === undefined
    ? undefined
    : { link: b.link, digest: toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', b.bytes as BufferSource))) }))
}

export class Proof {
  readonly #d: ProofDeps
  readonly #attempts = new Map<number, Attempt>()
  readonly #contested = new Map<number, Contested>()

  constructor (d: ProofDeps) {
    this.#d = d
    const { torrent } = d
    const request = torrent._request.bind(torrent)
    torrent._request = (wire, index, hotswap) => {
      const contested = this.#contested.get(index)
      if (contested !== undefined && !this.#isTurn(contested, wire, index)) return false
      this.#watch(index)
      if (!request(wire, index, hotswap)) return false
      if (contested !== undefined && contested.owner !== wire) Object.assign(contested, { owner: wire, begun: wire, since: d.now() })
      return true
    }
  }

  /** Called every few seconds: an owner that sends nothing is found out when others look, and they look only when something comes. */
  look (): void {
    if (this.#contested.size > 0 && !this.#d.torrent.destroyed) this.#d.torrent._update()
  }

  isWrong (index: number): void {
    const attempt = this.#attempts.get(index)
    this.#attempts.delete(index)
    const links = distinct(sent(attempt).map(b => b.link))
    let contested = this.#contested.get(index)
    if (contested !== undefined) contested.owner = contested.begun = undefined
    if (attempt === undefined || links.length === 0) return
    if (links.length === 1) { this.#d.onLiar(links[0], index); return }
    if (contested === undefined) this.#contested.set(index, contested = { failed: [], owner: undefined, begun: undefined, since: 0, patienceMs: ALONE_MS, tried: new Set() })
    contested.failed.push(digestsOf(attempt))
  }

  async isRight (index: number): Promise<void> {
    const attempt = this.#attempts.get(index)
    const contested = this.#contested.get(index)
    this.#attempts.delete(index)
    this.#contested.delete(index)
    if (attempt === undefined || contested === undefined) return
    const right = await digestsOf(attempt)
    const failed = await Promise.all(contested.failed)
    const wrong = failed.flatMap(f => f.filter((s, i) => s !== undefined && right[i] !== undefined && s.digest !== right[i].digest) as Suspect[])
    for (const link of distinct(wrong.map(s => s.link))) this.#d.onLiar(link, index)
  }

  /** Whether this peer may be asked for a piece that is fetched from one alone. What another has begun of it is thrown away. */
  #isTurn (c: Contested, wire: Wire, index: number): boolean {
    const { torrent, now } = this.#d
    if (c.owner !== undefined) {
      if (!c.owner.destroyed && now() - c.since < c.patienceMs) return c.owner === wire
      c.tried.add(c.owner)
      c.owner = undefined
    }
    if (c.tried.has(wire)) {
      if (torrent.wires.some(w => !w.destroyed && !w.peerChoking && w.peerPieces.get(index) && !c.tried.has(w))) return false
      c.tried.clear()
      // All of them may be slow.
      c.patienceMs *= 2
    }
    const piece = torrent.pieces[index]
    if (c.begun !== undefined && c.begun !== wire && piece) torrent.pieces[index] = new piece.constructor(piece.length)
    return true
  }

  /** Sees each block that becomes part of the piece, and who sent it. */
  #watch (index: number): void {
    const piece = this.#d.torrent.pieces[index]
    if (!piece || this.#attempts.get(index)?.piece === piece) return
    const attempt: Attempt = { piece, blocks: [] }
    this.#attempts.set(index, attempt)
    const set = piece.set.bind(piece)
    piece.set = (block, bytes, wire) => {
      const link = this.#d.linkOf(wire)
      // A second copy of a block is not taken.
      if (link !== undefined) attempt.blocks[block] ??= { link, bytes }
      const contested = this.#contested.get(index)
      if (contested?.owner === wire) contested.since = this.#d.now()
      return set(block, bytes, wire)
    }
  }
}
