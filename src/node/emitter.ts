/** Typed listeners, called in the order they came. */
type Listeners<E> = { [K in keyof E]: (e: never) => void }

export class Emitter<E extends Listeners<E>> {
  readonly #listeners = new Map<keyof E, Set<(e: never) => void>>()

  on<K extends keyof E> (event: K, listener: E[K]): () => void {
    const set = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, set)
    set.add(listener)
    return () => { set.delete(listener) }
  }

  emit<K extends keyof E> (event: K, e: Parameters<E[K]>[0]): void {
    for (const l of this.#listeners.get(event) ?? []) (l as (e: unknown) => void)(e)
  }
}
