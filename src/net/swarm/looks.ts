/**
 * How often a torrent looks what a message of a peer changes. WebTorrent goes through all pieces to see whether it
 * is interested in that peer, and through all peers to see what may be asked of whom, at each message that says
 * what a peer has or whether it serves: 47 kB of them stopped a page for three seconds. Here the first one is
 * looked at as soon as it comes, and those that follow it together, a moment later.
 */
import { LOOKS_MS } from './bounds.ts'
import type { Torrent, Wire } from './webtorrentTypes.ts'

export class Looks {
  readonly #torrent: Torrent
  readonly #interest: (wire: Wire) => void
  readonly #requests: () => void
  readonly #wires = new Set<Wire>()
  #wantsRequests = false
  #hears = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor (torrent: Torrent) {
    this.#torrent = torrent
    this.#interest = torrent._updateWireInterest.bind(torrent)
    this.#requests = torrent._update.bind(torrent)
    torrent._updateWireInterest = wire => {
      if (this.#hears) this.#wires.add(wire)
      else this.#interest(wire)
    }
    torrent._update = () => {
      if (this.#hears) this.#wantsRequests = true
      else this.#requests()
    }
  }

  /** `hear` hands the torrent what a peer has said. */
  during (hear: () => void): void {
    this.#hears = true
    try { hear() } finally { this.#hears = false }
    if (this.#timer === undefined) this.#look()
  }

  #look (): void {
    if (this.#wires.size === 0 && !this.#wantsRequests) return
    const wires = [...this.#wires]
    const wantsRequests = this.#wantsRequests
    this.#wires.clear()
    this.#wantsRequests = false
    if (this.#torrent.destroyed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#look()
    }, LOOKS_MS)
    for (const wire of wires) if (!wire.destroyed) this.#interest(wire)
    if (wantsRequests) this.#requests()
  }
}
