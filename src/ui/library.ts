/**
 * The library as the page shows it, and the rates of the last minutes. It is asked for when a view
 * first needs it and followed from then on, so that the charts have no holes.
 */
import { createEffect, createSignal, on, onCleanup, type Accessor } from 'solid-js'
import { createStore, reconcile } from 'solid-js/store'
import type { Hex, LibraryItem, LibraryView, NodeApi } from '../bridge/api.ts'
import { nameOf } from './libraryWords.ts'

/** One a second: five minutes. */
export const RATES_MAX = 300

export interface RatePoint {
  readonly timeMs: number
  /** Bytes per second. */
  readonly down: number
  readonly up: number
}

export interface LibraryState {
  readonly view: Accessor<LibraryView | undefined>
  /** Why there is no view. */
  readonly failure: Accessor<string | undefined>
  /** Starts to follow the library, once; again after a failure. */
  open (): void
  /** Asks for it at once, for what has just been put there. */
  refresh (): Promise<void>
  item (infoHash: Hex): LibraryItem | undefined
  /** Oldest first. */
  rates (infoHash: Hex): readonly RatePoint[]
}

export function createLibraryState (node: NodeApi, now: Accessor<number>, completed: (name: string) => void): LibraryState {
  const [s, set] = createStore<{ view?: LibraryView }>({})
  const [failure, setFailure] = createSignal<string>()
  const [rates, setRates] = createSignal<ReadonlyMap<Hex, readonly RatePoint[]>>(new Map())
  let opened = false
  let live = true
  let stop: (() => void) | undefined

  const setView = (view: LibraryView): void => {
    if (!live) return
    // Snapshots come and go by themselves all the time: nobody waits for one.
    const before = new Map(s.view?.items.map(i => [i.infoHash, i.state]))
    for (const item of view.items) if (item.state === 'complete' && before.get(item.infoHash) === 'downloading' && item.note?.kind !== 'snapshot') completed(nameOf(item))
    // Items are told apart by their infohash; what has none (peers, files) by its place.
    set('view', reconcile(structuredClone(view), { key: 'infoHash' }))
  }

  const follow = async (): Promise<void> => {
    try {
      stop = await node.listenLibrary(setView)
      setView(await node.library())
      if (!live) stop()
    } catch (e) {
      stop?.()
      stop = undefined
      opened = false
      setFailure(e instanceof Error ? e.message : String(e))
    }
  }

  createEffect(on(now, timeMs => {
    if (s.view === undefined) return
    const next = new Map<Hex, readonly RatePoint[]>()
    for (const { infoHash, state, downPerSecond, upPerSecond } of s.view.items) {
      if (state !== 'found') next.set(infoHash, [...(rates().get(infoHash) ?? []), { timeMs, down: downPerSecond, up: upPerSecond }].slice(-RATES_MAX))
    }
    setRates(next)
  }))

  onCleanup(() => { live = false; stop?.() })
  return {
    view: () => s.view,
    failure,
    open: () => {
      if (opened) return
      opened = true
      setFailure(undefined)
      void follow()
    },
    refresh: async () => { setView(await node.library()) },
    item: infoHash => s.view?.items.find(i => i.infoHash === infoHash),
    rates: infoHash => rates().get(infoHash) ?? []
  }
}
