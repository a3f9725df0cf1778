/**
 * Calls in both directions over a message port: one side calls by name, the other answers. The
 * errors of our ports come out as what they were.
 *
 * Bytes are transferred where this end made them (what came off the wire), copied where somebody
 * may still hold them.
 */
import { RequestError, type RequestFailure } from '../ports/network.ts'
import { SwarmError, type SwarmFailure } from '../ports/swarm.ts'

interface Failure { readonly message: string, readonly kind?: RequestFailure, readonly swarm?: SwarmFailure }
type PortMessage =
  | { readonly type: 'call', readonly id: number, readonly method: string, readonly args: readonly unknown[] }
  | { readonly type: 'return', readonly id: number, readonly value?: unknown, readonly failure?: Failure }

export type Port = Pick<MessagePort, 'postMessage' | 'close'> & { onmessage: ((e: MessageEvent) => void) | null }
export type Methods = Readonly<Record<string, (...args: any[]) => unknown>>

/** A view of a large buffer would be cloned with all of it. */
export const compact = (b: Uint8Array): Uint8Array => b.byteLength === b.buffer.byteLength ? b : b.slice()

/** What a method may return to hand its bytes over instead of copying them. */
export class Given { constructor (readonly bytes: Uint8Array) {} }

function failureOf (e: unknown): Failure {
  if (e instanceof RequestError) return { message: e.message, kind: e.kind }
  if (e instanceof SwarmError) return { message: e.message, swarm: e.kind }
  return { message: e instanceof Error ? e.message : String(e) }
}

function errorOf (f: Failure): Error {
  if (f.swarm !== undefined) return new SwarmError(f.swarm, f.message)
  return f.kind === undefined ? new Error(f.message) : new RequestError(f.kind, f.message)
}

/** Calls in both directions over one port. */
export class Calls {
  readonly #port: Port
  readonly #waiting = new Map<number, { readonly resolve: (v: unknown) => void, readonly reject: (e: Error) => void }>()
  #next = 0
  #closed = false

  constructor (port: Port, methods: Methods) {
    this.#port = port
    port.onmessage = e => { void this.#receive(e.data as PortMessage, methods) }
  }

  async call (method: string, args: readonly unknown[], transfer: Transferable[] = []): Promise<unknown> {
    if (this.#closed) throw new RequestError('unreachable', 'the other side was stopped')
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#port.postMessage({ type: 'call', id, method, args } satisfies PortMessage, transfer)
    })
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    this.#port.onmessage = null
    this.#port.close()
    for (const w of this.#waiting.values()) w.reject(new RequestError('unreachable', 'the other side was stopped'))
    this.#waiting.clear()
  }

  async #receive (m: PortMessage, methods: Methods): Promise<void> {
    if (m.type === 'return') {
      const w = this.#waiting.get(m.id)
      this.#waiting.delete(m.id)
      if (m.failure === undefined) w?.resolve(m.value)
      else w?.reject(errorOf(m.failure))
      return
    }
    try {
      const method = methods[m.method]
      if (method === undefined) throw new Error(`no method ${m.method}`)
      const value = await method(...m.args)
      if (value instanceof Given) {
        const bytes = compact(value.bytes)
        this.#reply({ type: 'return', id: m.id, value: bytes }, [bytes.buffer as ArrayBuffer])
      } else this.#reply({ type: 'return', id: m.id, value: value instanceof Uint8Array ? compact(value) : value })
    } catch (e) {
      this.#reply({ type: 'return', id: m.id, failure: failureOf(e) })
    }
  }

  #reply (m: PortMessage, transfer: Transferable[] = []): void {
    if (!this.#closed) this.#port.postMessage(m, transfer)
  }
}
