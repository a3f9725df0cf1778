/**
 * Shows others that what this tab says it holds is here: /cw/1/hosting, the side that is asked. A
 * stranger chooses when to ask, so what answering may cost is bounded per peer and in all; beyond it,
 * and where the disk takes long, the answer is "busy".
 */
import { HostingRequest } from '../core/codec/library.ts'
import { decode, equalBytes, toHex } from '../core/codec/ssz.ts'
import { ascii, hash, u32le } from '../core/crypto/hash.ts'
import { drawnPiece, hostingAnswer, hostingCommitment, hostingDraw } from '../core/torrent/hosting.ts'
import { MAX_PIECE_BYTES, type Metainfo, pieceLength } from '../core/torrent/metainfo.ts'
import type { Clock, Random } from '../ports/clock.ts'
import { type Network, type PeerId, RequestError } from '../ports/network.ts'
import type { InfoHash, Swarm } from '../ports/swarm.ts'
import { within } from './askPeers.ts'
import { TokenBuckets } from './tokenBucket.ts'

export const HOSTING_PROTOCOL = '/cw/1/hosting'
/** A request with its nonce. */
export const MAX_HOSTING_REQUEST_BYTES = 156
/** Salts and answers. */
export const HOSTING_RESPONSE_BYTES = 32
/** Blocks that a draw may lie behind the head: tips differ from tab to tab, old blocks could be chosen among. */
export const HOSTING_AGE_MAX = 16
/** A disk that takes longer is busy; below it is the other side's deadline. */
export const HOSTING_ANSWER_MS = 3_000
/** Requests of one peer about one set: a challenge takes two of them, in ten minutes or more. */
export const REQUESTS_BURST = 4
export const REQUEST_EVERY_MS = 150_000
/** Bytes read for one peer, and for all, in a minute; pieces read at once for all, of one peer it is one. */
export const PEER_BYTES_PER_MINUTE = MAX_PIECE_BYTES
export const BYTES_PER_MINUTE = 4 * MAX_PIECE_BYTES
export const READS_AT_ONCE = 2
const SALT_BYTES = 32
const EMPTY = new Uint8Array(0)

export interface HostingBlock { readonly hash: Uint8Array, readonly rho: Uint8Array }

export interface HostingAnswersDeps {
  readonly chain: Uint8Array
  readonly network: Pick<Network, 'handle'>
  readonly swarm: Pick<Swarm, 'piece'>
  readonly clock: Clock
  readonly random: Random
  readonly self: () => PeerId
  readonly height: () => number
  /** Of the main chain, while kept. */
  readonly block: (height: number) => HostingBlock | undefined
  /** Of a set that is served here. */
  readonly served: (infoHash: InfoHash) => Pick<Metainfo, 'pieces' | 'pieceBytes' | 'bytes'> | undefined
}

export class HostingAnswers {
  readonly #d: HostingAnswersDeps
  readonly #requests: TokenBuckets
  readonly #peerBytes: TokenBuckets
  readonly #bytes: TokenBuckets
  readonly #reading = new Set<PeerId>()
  #secret: Uint8Array | undefined

  constructor (d: HostingAnswersDeps) {
    this.#d = d
    this.#requests = new TokenBuckets(d.clock, 1000 / REQUEST_EVERY_MS, REQUESTS_BURST)
    this.#peerBytes = new TokenBuckets(d.clock, PEER_BYTES_PER_MINUTE / 60, PEER_BYTES_PER_MINUTE)
    this.#bytes = new TokenBuckets(d.clock, BYTES_PER_MINUTE / 60, BYTES_PER_MINUTE)
  }

  async start (): Promise<() => void> {
    return await this.#d.network.handle(HOSTING_PROTOCOL, { maxRequestBytes: MAX_HOSTING_REQUEST_BYTES, maxResponseBytes: HOSTING_RESPONSE_BYTES, perPeerPerSecond: 4 }, (peer, body) => this.#answer(peer, body))
  }

  /** Nothing: what is asked for is not here. */
  async #answer (peer: PeerId, body: Uint8Array): Promise<Uint8Array> {
    const request = decode(HostingRequest, body, MAX_HOSTING_REQUEST_BYTES)
    if (!request.ok) throw new RequestError('refused', `${request.error.reason}: ${request.error.detail}`)
    const { chain, infoHash, height, block, commitment, nonce: [nonce] } = request.value
    if (!equalBytes(chain, this.#d.chain)) throw new RequestError('refused', 'this is another network')
    if (nonce !== undefined && !equalBytes(hostingCommitment(nonce), commitment)) throw new RequestError('refused', 'this is not the nonce that was committed to')
    const name = toHex(infoHash)
    const served = this.#d.served(name)
    if (served === undefined) return EMPTY
    if (!this.#requests.take(`${name} ${peer}`)) throw new RequestError('busy', 'this set was asked for a moment ago')
    const head = this.#d.height()
    const known = height <= head && height + HOSTING_AGE_MAX >= head ? this.#d.block(height) : undefined
    if (known === undefined || !equalBytes(known.hash, block)) throw new RequestError('busy', 'this block is not among the newest here')
    const salt = this.#salt(peer, infoHash, height, block, commitment)
    if (nonce === undefined) return salt
    const draw = hostingDraw({ rho: known.rho, infoHash, challenger: peer, challenged: this.#d.self(), nonce, salt })
    const piece = await this.#read(peer, name, drawnPiece(draw, served.pieces), served)
    return piece === undefined ? EMPTY : hostingAnswer(draw, piece)
  }

  /** The same for the same question, so that nothing has to be kept of it; nobody can know it before. */
  #salt (peer: PeerId, infoHash: Uint8Array, height: number, block: Uint8Array, commitment: Uint8Array): Uint8Array {
    this.#secret ??= this.#d.random.bytes(SALT_BYTES)
    return hash('hosting-salt', this.#secret, infoHash, u32le(height), block, commitment, ascii(peer))
  }

  async #read (peer: PeerId, infoHash: InfoHash, index: number, m: Pick<Metainfo, 'pieces' | 'pieceBytes' | 'bytes'>): Promise<Uint8Array | undefined> {
    const bytes = pieceLength(m, index)
    if (this.#reading.has(peer) || this.#reading.size >= READS_AT_ONCE) throw new RequestError('busy', 'a piece is being read')
    if (!this.#peerBytes.take(peer, bytes) || !this.#bytes.take('', bytes)) throw new RequestError('busy', 'enough was read in this minute')
    this.#reading.add(peer)
    // The place is free again when the disk has answered, not when nobody waits any more.
    const reading = this.#d.swarm.piece(infoHash, index).finally(() => { this.#reading.delete(peer) })
    const read = await within(this.#d.clock, HOSTING_ANSWER_MS, reading.then(piece => ({ piece }), () => undefined))
    if (read === undefined) throw new RequestError('busy', 'the disk does not answer in time')
    return read.piece
  }
}
