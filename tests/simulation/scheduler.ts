/**
 * Virtual time: what is to happen, in order of time and then of asking. Between two happenings every
 * promise that can go on goes on, so a world runs the same way every time, as fast as it can.
 * (The idea of TigerBeetle's `time.zig`: time is one more input.)
 *
 * Most timers of a node are time limits that are called off, seconds ahead of now. So what is further
 * off than the current millisecond waits unsorted in a bucket of its millisecond (a calendar queue:
 * R. Brown, CACM 31(10), 1988); only the current one is a heap, and what was called off never gets there.
 */
import type { Clock } from '../../src/ports/clock.ts'

interface Timer { readonly at: number, readonly order: number, fn: (() => void) | undefined }

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Wall milliseconds after which the event loop gets a turn. */
const TURN_MS = 20
/** Milliseconds that have a bucket of their own; what is later waits in one of its span. Powers of two. */
const BUCKETS = 16_384
const SPAN = BUCKETS / 4

/**
 * Runs every promise and tick that can go on, now: what Node does after each callback. Not in its
 * documentation, but there since version 0.9; waiting for the same by a promise costs five times as much.
 */
const goOn = (process as unknown as { _tickCallback: () => void })._tickCallback

export class Scheduler implements Clock {
  #now: number
  #order = 0
  /** Of this millisecond, and of none before: the heap that is run from. */
  readonly #current: Timer[] = []
  #currentMs: number
  readonly #buckets: Array<Timer[] | undefined> = Array.from({ length: BUCKETS })
  /** Beyond the buckets, by span. */
  readonly #far = new Map<number, Timer[]>()
  /** Things that have happened. */
  events = 0

  constructor (now: number) {
    this.#now = now
    this.#currentMs = Math.floor(now)
  }

  now (): number { return this.#now }

  after (ms: number, fn: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn }
    this.#place(timer)
    return () => { timer.fn = undefined }
  }

  /** Runs everything that comes due until `end`. */
  async runUntil (end: number): Promise<void> {
    // A promise cannot go on while another one runs: the work is done from the event loop itself.
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        try {
          goOn()
          if (this.#runFor(end, performance.now() + TURN_MS)) resolve()
          else setImmediate(turn)
        } catch (e) {
          reject(e as Error)
        }
      }
      setImmediate(turn)
    })
  }

  /** False: the event loop's turn came first. */
  #runFor (end: number, wallEnd: number): boolean {
    for (let n = 1; ; n++) {
      const next = this.#next(end)
      if (next === undefined) {
        this.#now = end
        return true
      }
      this.#now = next.at
      const fn = next.fn!
      next.fn = undefined
      this.events++
      fn()
      goOn()
      if (n % 64 === 0 && performance.now() > wallEnd) return false
    }
  }

  /** Takes out the first that is due by `end` and was not called off. */
  #next (end: number): Timer | undefined {
    for (;;) {
      while (this.#current.length > 0) {
        if (this.#current[0].at > end) return undefined
        const next = pop(this.#current)
        if (next.fn !== undefined) return next
      }
      if (this.#currentMs + 1 > end) return undefined
      this.#nextMillisecond()
    }
  }

  #nextMillisecond (): void {
    const ms = ++this.#currentMs
    const bucket = this.#buckets[ms % BUCKETS]
    if (bucket !== undefined) {
      this.#buckets[ms % BUCKETS] = undefined
      for (const timer of bucket) if (timer.fn !== undefined) push(this.#current, timer)
    }
    if (ms % SPAN !== 0) return
    // The buckets reach four spans ahead of here, and nothing that is nearer than those waits in a span.
    const span = ms / SPAN + 2
    const due = this.#far.get(span)
    this.#far.delete(span)
    for (const timer of due ?? []) if (timer.fn !== undefined) this.#place(timer)
  }

  #place (timer: Timer): void {
    const ms = Math.floor(timer.at)
    if (ms <= this.#currentMs) push(this.#current, timer)
    else if (ms - this.#currentMs < BUCKETS) {
      const at = ms % BUCKETS
      const bucket = this.#buckets[at]
      if (bucket === undefined) this.#buckets[at] = [timer]
      else bucket.push(timer)
    } else {
      const span = Math.floor(ms / SPAN)
      const far = this.#far.get(span)
      if (far === undefined) this.#far.set(span, [timer])
      else far.push(timer)
    }
  }
}

function push (heap: Timer[], timer: Timer): void {
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

function pop (heap: Timer[]): Timer {
  const first = heap[0]
  const last = heap.pop()!
  if (heap.length === 0) return first
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
  return first
}
