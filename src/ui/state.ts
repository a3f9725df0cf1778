/**
 * What the page shows: projections of the node's events into stores, every list bounded.
 * Views arrive as whole values; `reconcile` turns them into the smallest change of the store.
 */
import { createSignal, onCleanup, type Accessor } from 'solid-js'
import { createStore, produce, reconcile } from 'solid-js/store'
import type { BlockView, CurvePoint, Hex, HistoryEntry, HistoryGroup, LogEntry, NodeApi, NodeEvent, NodeView } from '../bridge/api.ts'
import { thinned } from '../core/codec/curvePoints.ts'
import { createLibraryState, type LibraryState } from './library.ts'

export const BLOCKS_MAX = 400
export const LOGS_MAX = 1000
const LOG_FLUSH_MS = 200
export const CURVE_MAX = 1200
export const HISTORY_MAX = 500
export const TOASTS_MAX = 4
const PAGE = 40

/** Lines of one group, or the newest of all. */
export type HistoryChoice = 'all' | HistoryGroup

/** What can still be done about it: undo, for the most part. */
export interface ToastAction { readonly label: string, readonly run: () => void }
export interface Toast { readonly id: number, readonly level: 'info' | 'warn' | 'error', readonly text: string, readonly action?: ToastAction }

interface Shape {
  view?: NodeView
  /** Newest first, by height, forks beside one another. */
  blocks: BlockView[]
  blocksLoaded: boolean
  /** No older block is kept by this node. */
  blocksEnd: boolean
  curves: Record<Hex, CurvePoint[]>
  /** Newest first; what is not there has not been read. */
  history: Partial<Record<HistoryChoice, HistoryEntry[]>>
  toasts: Toast[]
}

export interface AppState {
  readonly s: Shape
  readonly node: NodeApi
  readonly now: Accessor<number>
  /** Oldest first. */
  readonly logs: Accessor<readonly LogEntry[]>
  readonly library: LibraryState
  readonly openedAt: number
  /** Loads the curve of a job once; later points come by themselves. */
  watchCurve (job: Hex): void
  loadOlder (): Promise<void>
  /** Reads these lines of the history, and again with every block. */
  watchHistory (which: HistoryChoice): void
  /** Reads what is watched again. */
  refreshHistory (): Promise<void>
  toast (level: Toast['level'], text: string, action?: ToastAction): void
  dismiss (id: number): void
  /** Runs a call to the node; a failure becomes a notice instead of an unhandled rejection. */
  attempt<T> (what: string, call: () => Promise<T>): Promise<T | undefined>
}

export function createAppState (node: NodeApi): AppState {
  const [s, set] = createStore<Shape>({ blocks: [], blocksLoaded: false, blocksEnd: false, curves: {}, history: {}, toasts: [] })
  const [now, setNow] = createSignal(Date.now())
  const openedAt = Date.now()
  const [logs, setLogs] = createSignal<readonly LogEntry[]>([])
  const unseen: LogEntry[] = []
  let flush: ReturnType<typeof setTimeout> | undefined
  const watched = new Set<Hex>()
  const watchedHistory = new Set<HistoryChoice>()
  let nextToast = 1
  let live = true
  let stopListening: (() => void) | undefined
  const ticker = setInterval(() => { setNow(Date.now()) }, 1000)

  const dismiss = (id: number): void => { set('toasts', list => list.filter(t => t.id !== id)) }

  const toast = (level: Toast['level'], text: string, action?: ToastAction): void => {
    if (s.toasts.some(t => t.text === text)) return
    const id = nextToast++
    set('toasts', list => [...list, { id, level, text, action }].slice(-TOASTS_MAX))
    if (level !== 'error') setTimeout(() => { dismiss(id) }, 8_000)
  }

  const attempt = async <T>(what: string, call: () => Promise<T>): Promise<T | undefined> => {
    try { return await call() } catch (e) {
      if (live) toast('error', `${what} did not work: ${e instanceof Error ? e.message : String(e)}`)
      return undefined
    }
  }

  const setView = (view: NodeView): void => {
    const height = s.view?.height
    if (s.view === undefined) set('view', structuredClone(view))
    else set('view', reconcile(structuredClone(view)))
    if (height !== view.height) void refreshHistory()
  }

  const addBlock = (block: BlockView): void => {
    set(produce(d => {
      // One main chain: a block on it takes the height from every other one.
      if (block.onMainChain) for (let i = 0; i < d.blocks.length; i++) {
        const b = d.blocks[i]!
        if (b.height === block.height && b.hash !== block.hash && b.onMainChain) d.blocks[i] = { ...b, onMainChain: false }
      }
      const known = d.blocks.findIndex(b => b.hash === block.hash)
      if (known >= 0) { d.blocks[known] = block; return }
      const at = d.blocks.findIndex(b => b.height <= block.height)
      if (at < 0) d.blocks.push(block)
      else d.blocks.splice(at, 0, block)
      if (d.blocks.length > BLOCKS_MAX) { d.blocks.length = BLOCKS_MAX; d.blocksEnd = false }
    }))
  }

  const addPoint = (point: CurvePoint): void => {
    const points = s.curves[point.job]
    if (points === undefined) return
    const kept = points.filter(p => p.round !== point.round)
    kept.push(point)
    kept.sort((a, b) => a.round - b.round)
    set('curves', point.job, thinned(kept, CURVE_MAX))
  }

  // At DEBUG a node logs hundreds of lines a second: they come in as batches.
  const addLog = (entry: LogEntry): void => {
    unseen.push(entry)
    if (unseen.length > LOGS_MAX) unseen.shift()
    flush ??= setTimeout(() => {
      flush = undefined
      setLogs(list => [...list, ...unseen.splice(0)].slice(-LOGS_MAX))
    }, LOG_FLUSH_MS)
  }

  const onEvent = (e: NodeEvent): void => {
    if (!live) return
    switch (e.type) {
      case 'view': setView(e.view); break
      case 'block': addBlock({ ...e.block }); break
      case 'curve': addPoint(e.point); break
      case 'log': addLog(e.entry); break
      case 'notice': toast(e.level, e.text); break
    }
  }

  let refreshing = false
  let again = false
  async function refreshHistory (): Promise<void> {
    if (refreshing) { again = true; return }
    refreshing = true
    do {
      again = false
      for (const which of watchedHistory) {
        const entries = await attempt('Reading the history', async () => await node.history(HISTORY_MAX, which === 'all' ? undefined : which))
        if (entries !== undefined && live) set('history', which, [...entries].sort((a, b) => b.timeMs - a.timeMs || b.height - a.height))
      }
    } while (again && live)
    refreshing = false
  }

  const watchHistory = (which: HistoryChoice): void => {
    if (watchedHistory.has(which)) return
    watchedHistory.add(which)
    void refreshHistory()
  }

  const watchCurve = (job: Hex): void => {
    if (watched.has(job)) return
    watched.add(job)
    void attempt('Reading the learning curve', async () => await node.curve(job)).then(points => {
      if (points === undefined) { watched.delete(job); return }
      if (live) set('curves', job, [...points].sort((a, b) => a.round - b.round).slice(-CURVE_MAX))
    })
  }

  const loadOlder = async (): Promise<void> => {
    const oldest = s.blocks.at(-1)?.height
    const older = await attempt('Reading older blocks', async () => await node.blocks(PAGE, oldest))
    if (older === undefined || !live) return
    for (const b of older) if (s.blocks.length < BLOCKS_MAX) addBlock({ ...b })
    if (older.length < PAGE || s.blocks.length >= BLOCKS_MAX) set('blocksEnd', true)
  }

  void (async () => {
    stopListening = await attempt('Listening to the node', async () => await node.listen(onEvent))
    const view = await attempt('Reading the state of the node', async () => await node.view())
    if (view !== undefined && live) setView(view)
    await loadOlder()
    set('blocksLoaded', true)
    const kept = await attempt('Reading the logs', async () => await node.logs(LOGS_MAX))
    if (kept !== undefined && live) setLogs([...kept].sort((a, b) => a.timeMs - b.timeMs).slice(-LOGS_MAX))
    if (!live) stopListening?.()
  })()

  onCleanup(() => { live = false; clearInterval(ticker); clearTimeout(flush); stopListening?.() })
  const library = createLibraryState(node, now, name => { toast('info', `“${name}” is complete and is shared from here.`) })
  return { s, node, now, logs, library, openedAt, watchCurve, watchHistory, loadOlder, refreshHistory, toast, dismiss, attempt }
}
