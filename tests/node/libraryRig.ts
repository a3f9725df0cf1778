/** Libraries of several tabs on the twins, in virtual time. */
import { ascii, firstU32, hash, u32le } from '../../src/core/crypto/hash.ts'
import { publicKey, sign } from '../../src/core/crypto/keys.ts'
import { createMemoryHub, type MemoryHub } from '../../src/net/memory.ts'
import { type JoinOptions, MemorySwarmHub } from '../../src/net/swarm/memory.ts'
import { Library } from '../../src/node/library.ts'
import type { MinerKey } from '../../src/node/minerKey.ts'
import type { Refused } from '../../src/node/refusals.ts'
import type { LibraryItem, LibraryView } from '../../src/bridge/api.ts'
import type { Network } from '../../src/ports/network.ts'
import type { Swarm } from '../../src/ports/swarm.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'
import { SeededRandom } from './workRig.ts'

export const CHAIN = hash('library-test')

/** The main chain of every tab here. */
export const blockAt = (height: number): { readonly hash: Uint8Array, readonly rho: Uint8Array } => ({ hash: hash('library-test-block', u32le(height)), rho: hash('library-test-rho', u32le(height)) })

export const EPOCH_BLOCKS = 64
export const keyOf = (name: string): MinerKey => {
  const seed = hash('library-test-key', ascii(name))
  return { publicKey: publicKey(seed), sign: message => sign(seed, message) }
}

export interface Tab { readonly name: string, readonly library: Library, readonly network: Network, readonly swarm: Swarm, readonly refused: Refused[], readonly disk: MemoryDisk }

export class LibraryWorld {
  readonly clock = new ManualClock(1_000_000)
  readonly hub: MemoryHub
  readonly swarms: MemorySwarmHub
  readonly tabs = new Map<string, Tab>()
  height = 0
  synced = true

  constructor () {
    this.hub = createMemoryHub({ clock: this.clock, latencyMs: 5, maxLinks: 0 })
    this.swarms = new MemorySwarmHub({ clock: this.clock })
  }

  async tab (name: string, options: JoinOptions & { readonly disk?: never, readonly pieces?: JoinOptions['disk'], readonly storage?: MemoryDisk, readonly key?: MinerKey } = {}): Promise<Tab> {
    const network = this.hub.join(name)
    for (const other of this.tabs.values()) this.hub.connect(name, other.name)
    const swarm = this.swarms.join(name, { disk: options.pieces, tamper: options.tamper })
    const refused: Refused[] = []
    const disk = options.storage ?? new MemoryDisk()
    const say = (): void => {}
    const library = new Library({
      chain: CHAIN, key: options.key ?? keyOf(name), epochBlocks: EPOCH_BLOCKS, network, swarm, storage: new MemoryStorage(disk), signatures: new TestSignatures(), clock: this.clock, random: new SeededRandom(firstU32(hash('library-test-random', ascii(name)))),
      blame: { refuse: r => { refused.push(r) } }, log: { debug: say, info: say, warn: say, error: (_area, text) => { throw new Error(text) } },
      self: () => name, height: () => this.height, block: blockAt, synced: () => this.synced, trackers: ['ws://example.org/announce']
    })
    const tab = { name, library, network, swarm, refused, disk }
    this.tabs.set(name, tab)
    await library.start()
    return tab
  }

  /** Runs the world until it holds. */
  async until (what: string, holds: () => boolean, ms = 60_000): Promise<void> {
    for (let t = 0; t < ms; t += 250) {
      await this.clock.advance(250)
      // Hashes of pieces are made in turns of their own.
      await new Promise(resolve => { setImmediate(resolve) })
      if (holds()) return
    }
    throw new Error(`${what} did not happen; ${[...this.tabs.values()].map(t => `${t.name}: ${JSON.stringify(t.library.view().items.map(i => [i.name, i.state, i.haveBytes, i.problem, i.peers.map(p => [p.peer, p.down, p.up, p.receiptsIn, p.receiptsOut])]))}`).join('; ')}`)
  }
}

export const file = (bytes: number, seed: number, name = `f${seed}.bin`): File => {
  const out = new Uint8Array(bytes)
  let x = seed
  for (let i = 0; i < bytes; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    out[i] = x >>> 24
  }
  return new File([out], name)
}

export const SAID = { name: 'a set', kind: 'file', licence: 'MIT', about: '', parents: [] } as const

export const item = (tab: Tab, infoHash: string): LibraryItem | undefined => tab.library.view().items.find(i => i.infoHash === infoHash)
export const view = (tab: Tab): LibraryView => tab.library.view()

export async function share (tab: Tab, f: File, said: Parameters<Library['share']>[1] = SAID): Promise<string> {
  const out = await tab.library.share([f], said)
  if (!out.ok) throw new Error(JSON.stringify(out.errors))
  return out.value.infoHash
}
