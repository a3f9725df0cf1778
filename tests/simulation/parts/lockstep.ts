/**
 * A world in parts that go on side by side in windows of time, and give one another what they have posted in each: it is
 * heard some windows later, before anything that is on its way between two parts can have come, so that none hears of what
 * is in its past, and the part with less to do in a window goes on meanwhile. (Lookahead: Chandy and Misra, IEEE TSE SE-5(5),
 * 1979; in windows: Lubachevsky, CACM 32(1), 1989.) The same parts give the same world in one thread and in as many as there
 * are parts. Torrents are shared within a part only: in calm worlds nobody fetches any.
 */
import { LEAST_WAY_MS } from '../internet.ts'
import type { World } from '../world.ts'
import { Inbox, type Outbox, type Post } from './post.ts'

/** Windows that a part may be ahead of what it has heard. */
export const AHEAD = 3
/** Jitter makes the least way shorter by a third once in 39,000 times: what comes so comes late by what is missing. */
const WINDOW_MS = Math.floor(LEAST_WAY_MS * 2 / 3 / AHEAD)
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

/** `mine` and `theirs`: of the same window, which ended AHEAD windows before the next one begins, or all is over. */
export function hear ({ inbox, world }: Part, mine: Pick<Word, 'links'>, theirs: Word): void {
  if (mine.links !== theirs.links) throw new Error('the parts of the world are linked in two ways: has a node banned another?')
  for (const parcel of inbox.open(theirs.post, world.now)) world.internet.take(parcel)
}

/** All in this thread, in turns. `looked`: once a virtual minute. */
export async function inTurns (parts: readonly [Part, Part], ms: number, looked: () => void): Promise<void> {
  const [a, b] = parts
  const said: Array<readonly [Word, Word]> = []
  const hearOldest = (): void => {
    const [ofA, ofB] = said.shift()!
    hear(a, ofA, ofB)
    hear(b, ofB, ofA)
  }
  while (a.world.elapsed < ms) {
    if (said.length === AHEAD) hearOldest()
    said.push([await untilWord(a, ms), await untilWord(b, ms)])
    if (isLook(a.world.elapsed, ms)) looked()
  }
  while (said.length > 0) hearOldest()
}
