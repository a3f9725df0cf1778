/**
 * Every tab is a node of its own. Tabs of one profile share a wallet and an origin, so each takes the
 * first free slot: a Web Lock that the browser frees when the tab closes or crashes. The slot names
 * the tab's database and derives its worker key.
 */
import { hash, u32le } from '../core/crypto/hash.ts'

/** Tabs of one profile that can be nodes at once. */
export const MAX_SLOTS = 256

/** The part of navigator.locks that is used. */
export interface SlotLocks {
  request (name: string, options: { readonly ifAvailable: true }, held: (lock: unknown) => Promise<void> | void): Promise<unknown>
}

export interface Slot {
  readonly slot: number
  /** Frees it for another tab; a closed tab frees it by itself. */
  readonly release: () => Promise<void>
}

/** A lock is held as long as the promise of its callback is pending. */
function tryLock (locks: SlotLocks, name: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    let free = (): void => {}
    const ended = locks.request(name, { ifAvailable: true }, lock => {
      if (lock === null) { resolve(undefined); return }
      const held = new Promise<void>(done => { free = done })
      resolve(async () => { free(); await ended })
      return held
    })
    ended.catch(reject)
  })
}

/** Takes the first free slot. Throws if MAX_SLOTS tabs are open. */
export async function takeSlot (locks: SlotLocks): Promise<Slot> {
  for (let slot = 0; slot < MAX_SLOTS; slot++) {
    const release = await tryLock(locks, `commonweight-slot-${slot}`)
    if (release !== undefined) return { slot, release }
  }
  throw new Error(`${MAX_SLOTS} tabs of this profile are nodes already: close one`)
}

/** Two networks and two tabs never share a database. */
export function databaseName (network: string, slot: number): string {
  return `commonweight-${network}-${slot}`
}

/** Seed of the tab's own key, with which it signs work; the wallet's key signs what it spends. */
export function slotSeed (walletSeed: Uint8Array, slot: number): Uint8Array {
  return hash('slot', walletSeed, u32le(slot))
}
