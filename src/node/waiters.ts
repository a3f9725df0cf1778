/**
 * Messages overtake one another: a vote may come before its proposal. Waiters hold it back for a
 * moment until what it refers to is here; so many at most, and where the places are short the
 * neighbours share them: whoever has the most makes room for who has fewer.
 */
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'

interface Waiting { readonly via: PeerId, readonly check: () => void, readonly giveUp: () => void }

export class Waiters {
  readonly #clock: Pick<Clock, 'after'>
  readonly #max: number
  readonly #waiting = new Set<Waiting>()

  constructor (clock: Pick<Clock, 'after'>, max: number) {
    this.#clock = clock
    this.#max = max
  }

  /** Whether `test` came true within `ms`; it is asked now and at every `wake`. `via` handed over what waits. */
  async until (test: () => boolean, ms: number, via: PeerId): Promise<boolean> {
    if (test()) return true
    if (this.#waiting.size >= this.#max && !this.#makeRoom(via)) return false
    return await new Promise<boolean>(resolve => {
      const cancel = this.#clock.after(ms, () => { settle(false) })
      const settle = (met: boolean): void => {
        cancel()
        this.#waiting.delete(waiting)
        resolve(met)
      }
      const waiting: Waiting = { via, check: () => { if (test()) settle(true) }, giveUp: () => { settle(false) } }
      this.#waiting.add(waiting)
    })
  }

  wake (): void { for (const { check } of [...this.#waiting]) check() }

  /** The newest of the neighbour that has the most gives up, if that leaves it no fewer than the newcomer has then. */
  #makeRoom (newcomer: PeerId): boolean {
    const byPeer = new Map<PeerId, Waiting[]>()
    for (const w of this.#waiting) {
      const ofPeer = byPeer.get(w.via)
      if (ofPeer === undefined) byPeer.set(w.via, [w])
      else ofPeer.push(w)
    }
    const most = [...byPeer.values()].reduce((a, b) => b.length > a.length ? b : a)
    if (most.length < (byPeer.get(newcomer)?.length ?? 0) + 2) return false
    most.at(-1)!.giveUp()
    return true
  }
}
