/**
 * Blocks with which nothing is wrong but what only redoing their work could show, and which would not
 * lead if that were right: lost siblings, most of them. They wait until they would lead, until
 * something builds on them, or until nothing else is to be redone. A device that redid them in the
 * order in which they come would fall behind a chain that it could follow.
 *
 * Bounded: what ranks lowest is let go. Whoever builds on it will bring it again.
 */
import { compareChains, type HeaderMeta } from '../core/consensus/chain.ts'
import type { PeerId } from '../ports/network.ts'

export const POSTPONED_LIMITS = { count: 16, perPeer: 4 } as const

/** due: it has to be redone. spare: nothing else has. let-go: it is not redone. */
export type Turn = 'due' | 'spare' | 'let-go'

interface Waiting {
  readonly meta: HeaderMeta
  readonly via: PeerId | undefined
  /** It has to wait no longer, whatever else is to be done. */
  readonly isDue: () => boolean
  readonly go: (turn: Turn) => void
}

export class Postponed {
  /** By rank, the best chain first. */
  #waiting: Waiting[] = []

  get size (): number { return this.#waiting.length }

  async turn (meta: HeaderMeta, via: PeerId | undefined, isDue: () => boolean): Promise<Turn> {
    return await new Promise(resolve => {
      this.#waiting.push({ meta, via, isDue, go: resolve })
      this.#waiting.sort((a, b) => compareChains(b.meta, a.meta))
      this.#letGoLast(POSTPONED_LIMITS.perPeer, w => w.via === via)
      this.#letGoLast(POSTPONED_LIMITS.count, () => true)
    })
  }

  /** Lets those go on that are due now; false if none is. */
  due (): boolean {
    const due = this.#waiting.filter(w => w.isDue())
    for (const w of due) this.#take(w).go('due')
    return due.length > 0
  }

  /** Lets the one go on that ranks first, due or not; false if there is none. */
  first (): boolean {
    const first = this.#waiting[0]
    if (first !== undefined) this.#take(first).go('spare')
    return first !== undefined
  }

  /** Whoever brought these has brought a wrong one. */
  letGoOf (peer: PeerId): void {
    for (const w of this.#waiting.filter(w => w.via === peer)) this.#take(w).go('let-go')
  }

  #letGoLast (limit: number, among: (w: Waiting) => boolean): void {
    const those = this.#waiting.filter(among)
    if (those.length > limit) this.#take(those[those.length - 1]).go('let-go')
  }

  #take (w: Waiting): Waiting {
    this.#waiting = this.#waiting.filter(x => x !== w)
    return w
  }
}
