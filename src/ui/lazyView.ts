/**
 * Views that are loaded apart from the first page. The server that hands them out may be gone when
 * one is opened, so all are fetched ahead while it is there, and what failed is tried again.
 */
import { lazy, type Component } from 'solid-js'

const RETRY_MS = 3_000

export interface LazyView extends Component { preload?: () => Promise<unknown> }

/** Asks until it is there: `lazy` keeps its first answer for good, a failure too. */
export async function loadAtLast<T> (load: () => Promise<T>, retryMs = RETRY_MS): Promise<T> {
  for (;;) {
    try {
      return await load()
    } catch {
      await new Promise(resolve => setTimeout(resolve, retryMs))
    }
  }
}

export const lazyView = (load: () => Promise<Component>): LazyView => lazy(async () => ({ default: await loadAtLast(load) }))

/** One after the other, so that they do not hold up what the app needs at its start. */
export async function loadAhead (views: readonly LazyView[]): Promise<void> {
  for (const view of views) await view.preload?.()
}
