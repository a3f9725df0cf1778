/**
 * Keeps claims of hosting honest: whoever announces that it has all of a set that is whole here is
 * asked for a piece by lot from time to time (core/torrent/hosting.ts), one peer at a time. A claim that
 * is not shown to be true is unproven until it is: its peer is counted as no seeder and asked last.
 * What may as well be the fault of a line, of a tab that sleeps or of this one is nobody's.
 */
import { HostingRequest } from '../core/codec/library.ts'
import { equalBytes, fromHex } from '../core/codec/ssz.ts'
import { firstU32 } from '../core/crypto/hash.ts'
import { drawnPiece, hostingAnswer, hostingCommitment, hostingDraw } from '../core/torrent/hosting.ts'
import type { Metainfo } from '../core/torrent/metainfo.ts'
import { type Network, type PeerId, RequestError } from '../ports/network.ts'
import type { InfoHash } from '../ports/swarm.ts'
import { isDirect } from './askPeers.ts'
import { HOSTING_PROTOCOL, HOSTING_RESPONSE_BYTES, HostingAnswers, type HostingAnswersDeps, type HostingBlock } from './hostingAnswers.ts'
import { ANNOUNCE_MS, type Holder } from './libraryTable.ts'
import { Lru } from './lru.ts'
import { Paced } from './paced.ts'
import type { Log } from './parts.ts'

/** Between two challenges of this tab, and between two of one peer for one set. */
export const CHECK_MS = 15_000
export const CHECK_AGAIN_MS = 10 * 60_000
/** A held piece of 16 MiB is read and hashed in a fifth of it on a busy core; see docs/security.md, 5, for who fetches it meanwhile. */
export const HOSTING_DEADLINE_MS = 5_000
/** A timer that is later than this says that this tab has slept. */
export const SLEPT_MS = 2_000
/** Unanswered so many times in a row, a claim is unproven. */
export const SILENCES_MAX = 3
/** To say "busy" is nobody's fault, unless it is all that is ever said: two hours at least. */
export const BUSY_MAX = 12
/** Whoever lives announces itself within this; what nobody heard of afterwards had left, or slept. */
export const STILL_HERE_MS = ANNOUNCE_MS + 2 * CHECK_MS
/** The block of a draw lies so far below the head that both have it. */
const DEPTH = 3
const STANDINGS_KEPT = 8192
const NONCE_BYTES = 32

/** What the challenges of one peer for one set came to. */
export interface Standing {
  readonly passed: number
  /** Wrong, or said not to have it. */
  readonly failed: number
  readonly unanswered: number
  readonly unproven: boolean
}

interface Kept { passed: number, failed: number, unanswered: number, unproven: boolean, silences: number, busies: number, triedAt: number, open: { readonly at: number, readonly what: 'silent' | 'absent' } | undefined }

/** void: nothing that says anything of the peer. */
type Outcome = 'passed' | 'wrong' | 'absent' | 'silent' | 'busy' | 'void'

export interface HostingDeps extends HostingAnswersDeps {
  readonly network: Pick<Network, 'handle' | 'request' | 'status'>
  readonly log: Log
  readonly synced: () => boolean
  /** Sets that are whole here. */
  readonly whole: () => ReadonlyArray<{ readonly infoHash: InfoHash, readonly metainfo: Pick<Metainfo, 'pieces'> }>
  readonly holders: (infoHash: InfoHash) => readonly Holder[]
  /** A claim has become unproven, or has been proved. */
  readonly onChange: (infoHash: InfoHash) => void
}

export class Hosting {
  readonly #d: HostingDeps
  readonly #answers: HostingAnswers
  readonly #standings = new Lru<Kept>(STANDINGS_KEPT)
  readonly #paced: Paced
  #running = false
  #hasDoubted = false
  #off: (() => void) | undefined

  constructor (d: HostingDeps) {
    this.#d = d
    this.#answers = new HostingAnswers(d)
    this.#paced = new Paced(d.clock, CHECK_MS, () => {
      if (this.#running) return
      this.#running = true
      void this.#look()
        .catch((e: unknown) => { d.log.error('library', e instanceof Error ? e.stack ?? e.message : String(e)) })
        .finally(() => { this.#running = false })
    })
  }

  async start (): Promise<void> { this.#off = await this.#answers.start() }

  stop (): void {
    this.#paced.stop()
    this.#off?.()
  }

  /** Challenges whose turn it is, if it is anybody's. */
  soon (): void { this.#paced.soon() }

  /** Any claim was ever unproven: before, nobody needs to be looked up. */
  get hasDoubted (): boolean { return this.#hasDoubted }

  of (infoHash: InfoHash, peer: PeerId): Standing | undefined { return this.#standings.get(keyOf(infoHash, peer)) }

  async #look (): Promise<void> {
    const whole = this.#d.synced() ? this.#d.whole() : []
    if (whole.length === 0 && this.#standings.count === 0) return
    const connected = new Set((await this.#d.network.status()).peers.filter(isDirect).map(p => p.id))
    const now = this.#d.clock.now()
    this.#settle(connected, now)
    const due = whole.flatMap(({ infoHash, metainfo }) => this.#d.holders(infoHash)
      .filter(h => h.share >= 1 && connected.has(h.peer) && now - (this.#standings.get(keyOf(infoHash, h.peer))?.triedAt ?? -Infinity) >= CHECK_AGAIN_MS)
      .map(h => ({ infoHash, peer: h.peer, pieces: metainfo.pieces })))
    if (due.length === 0) return
    const { infoHash, peer, pieces } = due[firstU32(this.#d.random.bytes(4)) % due.length]
    const height = Math.max(0, this.#d.height() - DEPTH)
    const block = this.#d.block(height)
    if (block === undefined) return
    const kept = this.#standing(infoHash, peer)
    kept.triedAt = now
    const outcome = await this.#check(infoHash, peer, pieces, height, block)
    this.#take(infoHash, peer, kept, outcome)
  }

  #standing (infoHash: InfoHash, peer: PeerId): Kept {
    const key = keyOf(infoHash, peer)
    const kept = this.#standings.get(key) ?? { passed: 0, failed: 0, unanswered: 0, unproven: false, silences: 0, busies: 0, triedAt: 0, open: undefined }
    this.#standings.set(key, kept)
    return kept
  }

  async #check (infoHash: InfoHash, peer: PeerId, pieces: number, height: number, block: HostingBlock): Promise<Outcome> {
    const { chain, random, self, swarm } = this.#d
    const nonce = random.bytes(NONCE_BYTES)
    const hash = fromHex(infoHash, 20)!
    const request: HostingRequest = { chain, infoHash: hash, height, block: block.hash, commitment: hostingCommitment(nonce), nonce: [] }
    const salt = await this.#ask(peer, request)
    if (typeof salt === 'string') return salt
    const draw = hostingDraw({ rho: block.rho, infoHash: hash, challenger: self(), challenged: peer, nonce, salt })
    const piece = await swarm.piece(infoHash, drawnPiece(draw, pieces)).catch(() => undefined)
    if (piece === undefined) return 'void'
    const right = hostingAnswer(draw, piece)
    const answer = await this.#ask(peer, { ...request, nonce: [nonce] })
    if (typeof answer === 'string') return answer
    return equalBytes(answer, right) ? 'passed' : 'wrong'
  }

  async #ask (peer: PeerId, request: HostingRequest): Promise<Uint8Array | Exclude<Outcome, 'passed'>> {
    const asked = this.#d.clock.now()
    try {
      const bytes = await this.#d.network.request(peer, HOSTING_PROTOCOL, HostingRequest.serialize(request), { timeoutMs: HOSTING_DEADLINE_MS, maxResponseBytes: HOSTING_RESPONSE_BYTES })
      if (bytes.length === 0) return 'absent'
      return bytes.length === HOSTING_RESPONSE_BYTES ? bytes : 'wrong'
    } catch (e) {
      if (!(e instanceof RequestError)) throw e
      if (this.#d.clock.now() - asked > HOSTING_DEADLINE_MS + SLEPT_MS) return 'void'
      return e.kind === 'busy' ? 'busy' : e.kind === 'too-large' ? 'wrong' : 'silent'
    }
  }

  #take (infoHash: InfoHash, peer: PeerId, kept: Kept, outcome: Outcome): void {
    this.#d.log.debug('library', `hosting of ${infoHash} by ${peer}: ${outcome}`)
    kept.open = undefined
    switch (outcome) {
      case 'passed':
        kept.passed++
        kept.silences = kept.busies = 0
        this.#judge(infoHash, peer, kept, false)
        break
      case 'wrong':
        kept.failed++
        this.#judge(infoHash, peer, kept, true)
        break
      case 'absent':
      case 'silent':
        kept.open = { at: this.#d.clock.now(), what: outcome }
        break
      case 'busy':
        kept.busies++
        this.#judge(infoHash, peer, kept, kept.unproven || kept.busies >= BUSY_MAX)
        break
      case 'void': break
      default: outcome satisfies never
    }
  }

  /** No answer counts once its peer is known to have been there, and still says that it has all of it. */
  #settle (connected: ReadonlySet<PeerId>, now: number): void {
    for (const [key, kept] of [...this.#standings.entries()]) {
      if (kept.open === undefined) continue
      const { at, what } = kept.open
      const [infoHash, peer] = key.split(' ')
      const holder = this.#d.holders(infoHash).find(h => h.peer === peer)
      if (now - at > STILL_HERE_MS) kept.open = undefined
      else if (holder !== undefined && holder.share >= 1 && holder.heardAt > at && connected.has(peer)) {
        kept.open = undefined
        if (what === 'absent') kept.failed++
        else { kept.unanswered++; kept.silences++ }
        this.#judge(infoHash, peer, kept, kept.unproven || what === 'absent' || kept.silences >= SILENCES_MAX)
      }
    }
  }

  #judge (infoHash: InfoHash, peer: PeerId, kept: Kept, unproven: boolean): void {
    if (kept.unproven !== unproven) this.#d.log.info('library', unproven ? `${peer} says that it has all of ${infoHash}, and does not show it` : `${peer} has shown that it has ${infoHash}`)
    kept.unproven = unproven
    this.#hasDoubted ||= unproven
    this.#d.onChange(infoHash)
  }
}

const keyOf = (infoHash: InfoHash, peer: PeerId): string => `${infoHash} ${peer}`
