/**
 * What runs in the page beside the app: tells the runner what the tab shows, and can drop every
 * connection of it. It is put in before the app's first line and asks the app for nothing but what it
 * shows to everyone.
 */
import type { BlockView, NodeApi, NodeEvent, NodeView } from '../../../src/bridge/api.ts'

/** As much of a view as is checked; amounts are decimal text. */
export interface Shown {
  readonly slot: number
  readonly miner: string
  readonly key: string
  readonly phase: NodeView['phase']['phase']
  readonly detail: string
  readonly height: number
  readonly head: string
  readonly work: string
  /** Of the ledger that its chain was joined by; 0 where all of it was applied here. */
  readonly joinedAt: number
  readonly balance: string
  readonly maturing: string
  readonly nonce: number
  /** Transactions called sent that the wallet says are not, or may not be. */
  readonly unsent: readonly string[]
  readonly slices: number
  /** Tabs it is linked to. */
  readonly tabs: number
  readonly duplicateSlices: number
  readonly replayFailures: number
}

export type Report =
  | { readonly kind: 'first' | 'view', readonly view: Shown }
  | { readonly kind: 'block', readonly block: Pick<BlockView, 'hash' | 'height' | 'parent' | 'miner' | 'onMainChain'> }
  | { readonly kind: 'error', readonly text: string }

declare global {
  interface Window {
    commonweight?: NodeApi
    perturbReport: (text: string) => Promise<void>
    perturbCut: (on: boolean) => void
  }
}

/** The loaders of Node wrap names in this helper, which no page has. */
export const NAME_HELPER = 'self.__name ??= (f) => f'

export function inPage (): void {
  const links = new Set<RTCPeerConnection>()
  const sockets = new Set<WebSocket>()
  let cut = false
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor (configuration?: RTCConfiguration) {
      // A link without candidates never comes up, and does all else that a link does: one closed here would throw at its first use.
      super(cut ? { ...configuration, iceServers: [], iceTransportPolicy: 'relay' } : configuration)
      links.add(this)
    }
  }
  window.WebSocket = class extends WebSocket {
    constructor (url: string | URL, protocols?: string | string[]) {
      // Port 9 discards: nobody listens.
      super(cut ? 'ws://127.0.0.1:9/' : url, protocols)
      sockets.add(this)
    }
  }
  window.perturbCut = on => {
    cut = on
    if (!on) return
    for (const link of links) link.close()
    for (const socket of sockets) socket.close()
    links.clear()
    sockets.clear()
  }
  const tell = (report: Report): void => { void window.perturbReport(JSON.stringify(report)) }
  const shown = (v: NodeView): Shown => ({
    slot: v.slot,
    miner: v.miner,
    key: v.wallet.key,
    phase: v.phase.phase,
    detail: JSON.stringify(v.phase),
    height: v.height,
    head: v.head,
    work: String(v.totalWork),
    joinedAt: v.joined?.height ?? 0,
    balance: String(v.wallet.balance),
    maturing: String(v.wallet.maturing),
    nonce: v.wallet.nonce,
    unsent: v.wallet.unsent.map(u => u.id),
    slices: v.mining.slices,
    tabs: v.peers.filter(p => p.link !== 'server').length,
    duplicateSlices: v.refusals.filter(r => r.reason === 'duplicate slice').length,
    replayFailures: v.replayFailures
  })
  const hear = (e: NodeEvent): void => {
    if (e.type === 'view') tell({ kind: 'view', view: shown(e.view) })
    else if (e.type === 'block') tell({ kind: 'block', block: { hash: e.block.hash, height: e.block.height, parent: e.block.parent, miner: e.block.miner, onMainChain: e.block.onMainChain } })
    else if (e.type === 'log' && (e.entry.level === 'error' || /damaged|corrupt|not stored/.test(e.entry.text))) tell({ kind: 'error', text: `${e.entry.area}: ${e.entry.text}` })
  }
  let node: NodeApi | undefined
  Object.defineProperty(window, 'commonweight', {
    configurable: true,
    get: () => node,
    set: (api: NodeApi) => {
      node = api
      void api.view().then(async v => {
        tell({ kind: 'first', view: shown(v) })
        // What was said while it started: damage is found there.
        for (const entry of await api.logs(500)) if (entry.level === 'error' || /damaged|corrupt|not stored/.test(entry.text)) tell({ kind: 'error', text: `${entry.area}: ${entry.text}` })
        await api.listen(hear)
      })
    }
  })
}

/** In the node's worker: says so when a block is handed to the store. */
export function tellCommits (): void {
  const put = IDBObjectStore.prototype.put
  IDBObjectStore.prototype.put = function (this: IDBObjectStore, value: unknown, key?: IDBValidKey) {
    if (this.name === 'bodies') console.debug('perturb: a block is being written')
    return put.call(this, value, key)
  }
}
