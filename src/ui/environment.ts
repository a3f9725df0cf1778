/** Tells the node what only a page can see: whether it is in the background, and on battery. */
import { onCleanup } from 'solid-js'
import type { NodeApi } from '../bridge/api.ts'

/** Not in the DOM library: only Chromium has it. */
interface Battery extends EventTarget { readonly charging: boolean }

export function watchEnvironment (node: NodeApi): void {
  let battery: Battery | undefined
  let live = true
  const tell = (): void => {
    if (live) void node.setEnvironment({ hidden: document.visibilityState === 'hidden', onBattery: battery?.charging === false }).catch(() => { /* the node is gone; its phase says so */ })
  }
  document.addEventListener('visibilitychange', tell)
  const found = (navigator as { getBattery?: () => Promise<Battery> }).getBattery?.()
  found?.then(b => {
    battery = b
    b.addEventListener('chargingchange', tell)
    tell()
  }, () => { /* denied: treated as mains */ })
  tell()
  onCleanup(() => {
    live = false
    document.removeEventListener('visibilitychange', tell)
    battery?.removeEventListener('chargingchange', tell)
  })
}
