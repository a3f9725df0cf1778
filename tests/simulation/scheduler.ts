/**
 * Virtual time: what is to happen, in order of time and then of asking. Between two happenings every
 * promise that can go on goes on, so a world runs the same way every time, as fast as it can.
 * (The idea of TigerBeetle's `time.zig`: time is one more input.)
 */
import type { Clock } from '../../src/ports/clock.ts'

interface Timer { readonly at: number, readonly order: number, fn: (() => void) | undefined }

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Wall milliseconds after which the event loop gets a turn. */
const TURN_MS = 20

export class Scheduler implements Clock {
  #now: number
  #order = 0
  readonly #heap: Timer[] = []
  /** Things that have happened. */
  events = 0

  constructor (now: number) { this.#now = now }

  now (): number { return this.#now }

  after (ms: number, fn: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn }
    this.#push(timer)
    return () => { timer.fn = undefined }
  }

  /** Runs everything that comes due until `end`. */
  async runUntil (end: number): Promise<void> {
    let turn = performance.now()
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.at > end) break
      this.#pop()
      if (next.fn === undefined) continue
      this.#now = next.at
      const fn = next.fn
      next.fn = undefined
      this.events++
      fn()
      await settled()
      if (performance.now() - turn > TURN_MS) {
        await new Promise<void>(resolve => { setImmediate(resolve) })
        turn = performance.now()
      }
    }
    this.#now = end
    await settled()
  }

  #push (timer: Timer): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(timer)
    while (i > 0) {
      const up = (i - 1) >>> 1
      if (!before(timer, heap[up])) break
      heap[i] = heap[up]
      i = up
    }
    heap[i] = timer
  }

  #pop (): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], last)) break
      heap[i] = heap[child]
      i = child
    }
    heap[i] = last
  }
}

/**
 * Resolves when no promise can go on without another timer. A tick asked for from a microtask comes
 * after all microtasks, those they make included: a turn of the event loop would do too, and costs more.
 */
function settled (): Promise<void> {
  return new Promise<void>(resolve => { queueMicrotask(() => { process.nextTick(resolve) }) })
}
