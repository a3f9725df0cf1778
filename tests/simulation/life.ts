/**
 * What a tab is to the code in it: running, frozen (nothing runs until it thaws), or dead (nothing
 * runs ever again). Every port of a simulated node goes through its life.
 */
import type { Clock } from '../../src/ports/clock.ts'
import type { GossipMessage, Network, NetworkStatus, PeerId, ProtocolLimits, RequestOptions, Verdict } from '../../src/ports/network.ts'

export class Life {
  #state: 'up' | 'frozen' | 'dead' = 'up'
  #queue: Array<() => void> = []
  #end: () => void = () => {}
  /** Of use to who waits for something that a dead tab never does. */
  readonly ended = new Promise<void>(resolve => { this.#end = resolve })

  get up (): boolean { return this.#state === 'up' }
  get dead (): boolean { return this.#state === 'dead' }

  freeze (): void { if (this.#state === 'up') this.#state = 'frozen' }

  thaw (): void {
    if (this.#state !== 'frozen') return
    this.#state = 'up'
    for (const fn of this.#queue.splice(0)) fn()
  }

  end (): void {
    this.#state = 'dead'
    this.#queue = []
    this.#end()
  }

  run (fn: () => void): void {
    if (this.#state === 'up') fn()
    else if (this.#state === 'frozen') this.#queue.push(fn)
  }

  /** Settles as `p` does, while somebody is there to see it. */
  through<T> (p: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      p.then(v => { this.run(() => { resolve(v) }) }, (e: unknown) => { this.run(() => { reject(e as Error) }) })
    })
  }
}

/** A tab's clock: may be wrong, may jump, and is throttled while the tab is hidden. */
export class TabClock implements Clock {
  readonly #world: Clock
  readonly #life: Life
  /** Ahead of the world, ms. */
  skewMs = 0
  /** Timers come at multiples of this, as browsers do to hidden tabs; 0: when they are due. */
  throttleMs = 0

  constructor (world: Clock, life: Life) {
    this.#world = world
    this.#life = life
  }

  /** Whole milliseconds, like Date.now(). */
  now (): number { return Math.floor(this.#world.now() + this.skewMs) }

  after (ms: number, fn: () => void): () => void {
    const wait = this.throttleMs === 0 ? ms : Math.ceil(Math.max(1, ms) / this.throttleMs) * this.throttleMs
    return this.#world.after(wait, () => { this.#life.run(fn) })
  }
}

/**
 * The mesh as a living tab sees it. Whoever wraps it further may hold things back or make them up. Nothing is
 * awaited on the way: of a message every turn of a promise that only passes something on is paid by each who hears it.
 */
export class TabNetwork implements Network {
  readonly #inner: Network
  readonly #life: Life
  readonly #published: ((topic: string, bytes: Uint8Array) => void) | undefined

  /** `published`: is told what the tab publishes. */
  constructor (inner: Network, life: Life, published?: (topic: string, bytes: Uint8Array) => void) {
    this.#inner = inner
    this.#life = life
    this.#published = published
  }

  status (): Promise<NetworkStatus> { return this.#inner.status() }

  onStatus (listener: (s: NetworkStatus) => void): Promise<() => void> {
    return this.#inner.onStatus(s => { this.#life.run(() => { listener(s) }) })
  }

  publish (topic: string, bytes: Uint8Array): Promise<number> {
    this.#published?.(topic, bytes)
    return this.#inner.publish(topic, bytes)
  }

  subscribe (topic: string, validator: (m: GossipMessage) => Promise<Verdict>): Promise<() => void> {
    return this.#inner.subscribe(topic, m => this.#life.up ? validator(m) : this.#later(() => validator(m)))
  }

  request (peer: PeerId, protocol: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    return this.#life.through(this.#inner.request(peer, protocol, body, options))
  }

  handle (protocol: string, limits: ProtocolLimits, handler: (peer: PeerId, body: Uint8Array) => Promise<Uint8Array>): Promise<() => void> {
    return this.#inner.handle(protocol, limits, (peer, body) => this.#life.up ? handler(peer, body) : this.#later(() => handler(peer, body)))
  }

  ban (peer: PeerId, reason: string, ms?: number): Promise<void> { return this.#inner.ban(peer, reason, ms) }
  stop (): Promise<void> { return this.#inner.stop() }

  #later<T> (fn: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => { this.#life.run(() => { fn().then(resolve, reject) }) })
  }
}
