/**
 * A world in parts that go on side by side, a window of time each, and then give one another what they have posted: no
 * window is as long as anything is on its way between two parts, so that none hears of what is in its past. (Lookahead:
 * Chandy and Misra, IEEE TSE SE-5(5), 1979; in windows: Lubachevsky, CACM 32(1), 1989.) The same parts give the same world
 * in one thread and in as many as there are parts. Torrents are shared within a part only: in calm worlds nobody fetches any.
 */
import { LEAST_WAY_MS } from '../internet.ts'
import type { World } from '../world.ts'
import { Inbox, type Outbox, type Post } from './post.ts'

/** Jitter makes the least way shorter by a third once in 39,000 times: what comes so comes late by what is missing. */
const WINDOW_MS = Math.floor(LEAST_WAY_MS * 2 / 3)
/** Virtual. */
const LOOK_MS = 60_000

export interface Part {
  readonly world: World
  readonly outbox: Outbox
  readonly inbox: Inbox
}

/** What a part tells the other at the end of a window; `links`: the fingerprint of who is linked to whom, now and then. */
export interface Word { readonly post: Post, readonly links: number | undefined }

/** Ends of windows, ms since the world began: all multiples of one length, and the end. */
const nextEnd = (elapsed: number, ms: number): number => Math.min(ms, (Math.floor(elapsed / WINDOW_MS) + 1) * WINDOW_MS)

export const isLook = (elapsed: number, ms: number): boolean => elapsed === ms || Math.floor(elapsed / LOOK_MS) > Math.floor((elapsed - WINDOW_MS) / LOOK_MS)

export async function untilWord (part: Part, ms: number): Promise<Word> {
  const { outbox, world } = part
  await world.run(nextEnd(world.elapsed, ms) - world.elapsed)
  return { post: outbox.empty(), links: isLook(world.elapsed, ms) ? world.topology.fingerprint() : undefined }
}

export function hear ({ inbox, world }: Part, word: Word, ms: number): void {
  if (isLook(world.elapsed, ms) && word.links !== world.topology.fingerprint()) throw new Error('the parts of the world are linked in two ways: has a node banned another?')
  for (const parcel of inbox.open(word.post, world.now)) world.internet.take(parcel)
}

/** All in this thread, in turns. `looked`: once a virtual minute. */
export async function inTurns (parts: readonly [Part, Part], ms: number, looked: () => void): Promise<void> {
  const [a, b] = parts
  while (a.world.elapsed < ms) {
    const words = [await untilWord(a, ms), await untilWord(b, ms)]
    hear(a, words[1], ms)
    hear(b, words[0], ms)
    if (isLook(a.world.elapsed, ms)) looked()
  }
}
