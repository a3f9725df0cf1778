/**
 * A mesh in memory that is run in parts, each by a hub and a thread of its own. Every node joins every hub and is
 * linked alike in all of them, but is used in one: in the others it stands for itself, and what is sent to it is posted.
 */
import type { Clock } from '../ports/clock.ts'
import { type PeerId, RequestError } from '../ports/network.ts'

export type Answer = { readonly ok: true, readonly bytes: Uint8Array } | { readonly ok: false, readonly error: RequestError }

/** What goes from a node of one part to a node of another; `atMs`: when it is there, by the clock of both. */
export type Parcel = { readonly from: PeerId, readonly to: PeerId, readonly atMs: number, readonly bytes: Uint8Array } & (
  /** `name`: the same wherever the message goes. */
  { readonly kind: 'gossip', readonly name: number, readonly topic: string, readonly origin: PeerId } |
  { readonly kind: 'request', readonly call: number, readonly protocol: string } |
  { readonly kind: 'answer', readonly call: number, readonly refused?: { readonly kind: RequestError['kind'], readonly words: string } }
)

export interface Elsewhere {
  /** This part among all: tells their names apart. */
  readonly part: number
  readonly parts: number
  /** Another part runs it. It is taken to follow every topic. */
  runs (id: PeerId): boolean
  post (parcel: Parcel): void
}

/** Messages that went to other parts or came from there are known by name for one to two of these, ms. */
const NAMED_MS = 120_000

/** Names of messages, of which each part has its own. */
export class Names<Message extends { name: number | undefined }> {
  readonly #clock: Clock
  readonly #elsewhere: Elsewhere
  #given = 0
  #now = new Map<number, Message>()
  #before = new Map<number, Message>()
  #since = 0

  constructor (clock: Clock, elsewhere: Elsewhere) {
    this.#clock = clock
    this.#elsewhere = elsewhere
  }

  of (message: Message): number {
    if (message.name === undefined) this.#keep(message, message.name = this.#given++ * this.#elsewhere.parts + this.#elsewhere.part)
    return message.name
  }

  find (name: number, make: () => Message): Message {
    const known = this.#now.get(name) ?? this.#before.get(name)
    if (known !== undefined) return known
    const message = make()
    this.#keep(message, name)
    return message
  }

  #keep (message: Message, name: number): void {
    const now = this.#clock.now()
    if (now - this.#since >= NAMED_MS) {
      this.#before = this.#now
      this.#now = new Map()
      this.#since = now
    }
    this.#now.set(name, message)
  }
}

const NOTHING = new Uint8Array()

/** Requests to other parts whose answers are awaited. */
export class Calls {
  readonly #waiting = new Map<number, (a: Answer) => void>()
  #next = 0

  /** Under which the answer will come. */
  open (answered: (a: Answer) => void): number {
    this.#waiting.set(this.#next, answered)
    return this.#next++
  }

  forget (call: number): void { this.#waiting.delete(call) }

  answered ({ bytes, call, refused }: Parcel & { readonly kind: 'answer' }): void {
    this.#waiting.get(call)?.(refused === undefined ? { ok: true, bytes } : { ok: false, error: new RequestError(refused.kind, refused.words) })
  }
}

/** An answer as it is posted. */
export function answerTo ({ call, from, to }: Parcel & { readonly kind: 'request' }, a: Answer, atMs: number): Parcel {
  const way = { kind: 'answer', from: to, to: from, atMs, call } as const
  return a.ok ? { ...way, bytes: a.bytes } : { ...way, bytes: NOTHING, refused: { kind: a.error.kind, words: a.error.message } }
}
