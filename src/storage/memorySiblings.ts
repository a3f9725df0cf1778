/** The twin in memory of what tabs of one wallet tell one another: tabs that are given one MemoryFamily hear each other. */
import type { SiblingNews, Siblings } from '../ports/siblings.ts'

export class MemoryFamily {
  readonly tabs = new Set<MemorySiblings>()
}

export class MemorySiblings implements Siblings {
  readonly #family: MemoryFamily
  readonly #listeners = new Set<(news: SiblingNews) => void>()

  constructor (family = new MemoryFamily()) {
    this.#family = family
    family.tabs.add(this)
  }

  /** Heard later, as from another tab. */
  tell (news: SiblingNews): void {
    for (const tab of this.#family.tabs) if (tab !== this) queueMicrotask(() => { tab.#hear(news) })
  }

  onNews (listener: (news: SiblingNews) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #hear (news: SiblingNews): void {
    for (const l of [...this.#listeners]) l(news)
  }
}
