/**
 * Composition root of the page: checks what the browser offers, takes an identity slot, builds
 * libp2p (which needs RTCPeerConnection, so it lives here), starts the node in a worker behind a
 * message port, and renders the app.
 */
import { connectNode } from './bridge/remoteNode.ts'
import type { NodeApi } from './bridge/api.ts'
import { NETWORKS } from './core/params.ts'
import { createLibp2pNetwork } from './net/libp2p.ts'
import { exposeNetwork } from './net/portNetwork.ts'
import { lazySwarm } from './net/swarm/lazySwarm.ts'
import { exposeSwarm } from './net/swarm/portSwarm.ts'
import { tellErased } from './storage/siblings.ts'
import { databaseName, MAX_SLOTS, takeSlot } from './storage/slots.ts'
import { removeCopy } from './storage/walletCopy.ts'
import { renderApp } from './ui/app.tsx'
import { renderBootError, renderUnsupported, type UnsupportedReason } from './ui/boot.tsx'
import { ERASED, remember } from './ui/memory.ts'
import type { NodeBoot } from '../workers/nodeBoot.ts'
import { version } from '../package.json'

declare global { interface Window { commonweight?: NodeApi } }

/** What the server says of itself at /bootstrap.json. */
interface Bootstrap { readonly bootstraps: readonly string[], readonly iceServers: readonly RTCIceServer[], readonly trackers: readonly string[], readonly network: 'main' | 'test' }

/** The smallest module with a 128-bit instruction: (module (func (drop (v128.const i64x2 0 0)))). */
const SIMD_PROBE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 26, 11)

function missing (): UnsupportedReason[] {
  const reasons: UnsupportedReason[] = []
  if (!window.isSecureContext) reasons.push('insecure-context')
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(SIMD_PROBE)) reasons.push('no-wasm-simd')
  if (typeof RTCPeerConnection === 'undefined') reasons.push('no-webrtc')
  if (typeof indexedDB === 'undefined') reasons.push('no-indexeddb')
  if (typeof Worker === 'undefined') reasons.push('no-workers')
  return reasons
}

async function readBootstrap (): Promise<Bootstrap> {
  const response = await fetch('/bootstrap.json', { cache: 'no-store' })
  if (!response.ok) throw new Error(`the server answered ${response.status} to /bootstrap.json`)
  const b = await response.json() as Partial<Bootstrap>
  return { bootstraps: b.bootstraps ?? [], iceServers: b.iceServers ?? [], trackers: b.trackers ?? [], network: b.network === 'test' ? 'test' : 'main' }
}

async function startNode (boot: NodeBoot): Promise<NodeApi> {
  const worker = new Worker(new URL('../workers/node.worker.ts', import.meta.url), { type: 'module', name: 'node' })
  await new Promise<void>((resolve, reject) => {
    worker.addEventListener('error', (e) => { reject(new Error(e.message === '' ? 'the node\'s worker could not be loaded' : e.message)) }, { once: true })
    worker.addEventListener('message', (e: MessageEvent<{ ready: true } | { failed: string }>) => {
      if ('failed' in e.data) reject(new Error(e.data.failed))
      else resolve()
    }, { once: true })
    worker.postMessage(boot, [boot.port, boot.swarm])
  })
  return connectNode(worker)
}

/** Removes this profile's databases and files: the chain, the work, the library and the wallet. The caller has confirmed; the other tabs are told, and stop. */
async function erase (node: NodeApi, network: 'main' | 'test'): Promise<void> {
  await node.stop()
  // Before their databases go: they would take it for a fault of the browser.
  tellErased()
  const known = await indexedDB.databases?.() ?? []
  const names = new Set([...known.map((d) => d.name ?? ''), ...Array.from({ length: MAX_SLOTS }, (_, i) => databaseName(NETWORKS[network].name, i))].filter((n) => n.startsWith('commonweight-')))
  await Promise.all([...names].map(async (name) => new Promise<void>((resolve) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = request.onerror = request.onblocked = () => { resolve() }
  })))
  if (!await removeCopy()) throw new Error('the second copy of the key could not be removed: clear the data of this site in the settings of the browser')
  const files = await navigator.storage?.getDirectory?.().catch(() => undefined)
  await files?.removeEntry('swarm', { recursive: true }).catch(() => { /* There was none. */ })
  localStorage.clear()
  sessionStorage.clear()
  remember('session', ERASED, 'yes')
  location.reload()
}

async function main (root: HTMLElement): Promise<void> {
  const reasons = missing()
  if (reasons.length > 0) {
    renderUnsupported(root, reasons)
    return
  }
  const bootstrap = await readBootstrap()
  const asked = new URLSearchParams(location.search).get('network')
  const name = asked === 'test' || asked === 'main' ? asked : bootstrap.network
  // Held until the tab closes: the browser frees it then, also after a crash.
  const { slot } = await takeSlot(navigator.locks)
  const network = await createLibp2pNetwork({ namespace: NETWORKS[name].name, bootstraps: bootstrap.bootstraps, iceServers: bootstrap.iceServers })
  const channel = new MessageChannel()
  exposeNetwork(network, channel.port1)
  const swarm = lazySwarm(async () => {
    const [{ WebTorrentSwarm }, { openDisk }] = await Promise.all([import('./net/swarm/webtorrentSwarm.ts'), import('./net/swarm/openDisk.ts')])
    return new WebTorrentSwarm({
      streams: network.streams,
      openDisk: () => openDisk(databaseName(NETWORKS[name].name, slot), () => new Worker(new URL('../workers/pieces.worker.ts', import.meta.url), { type: 'module', name: 'pieces' })),
      trackers: bootstrap.trackers,
      iceServers: bootstrap.iceServers,
      onError: (e) => { console.error(e) }
    })
  })
  const swarmChannel = new MessageChannel()
  exposeSwarm(swarm, swarmChannel.port1)
  let node: NodeApi
  try {
    node = await startNode({ network: name, slot, port: channel.port2, swarm: swarmChannel.port2, trackers: bootstrap.trackers, cores: navigator.hardwareConcurrency })
  } catch (e) {
    // A mesh without a node behind it would only burden the others.
    await swarm.stop()
    await network.stop()
    throw e
  }
  window.commonweight = node
  // Told at once when the page goes: what a worker holds in memory is written while there is time.
  window.addEventListener('pagehide', () => { void node.setEnvironment({ hidden: true, onBattery: false }) })
  renderApp(root, {
    node,
    version,
    persist: async () => navigator.storage?.persist?.() ?? false,
    erase: async () => erase(node, name)
  })
}

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
main(root).catch((e: unknown) => { renderBootError(root, e) })
