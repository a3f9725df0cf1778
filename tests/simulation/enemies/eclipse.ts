/**
 * Fills all links of one victim with names of its own that agree with whatever it says and tell it
 * nothing. The victim still dials others now and then (src/net/mesh.ts: every 45 s), and a link that
 * it has may be dropped to make room: that is how it hears of the others, and why it does not for long.
 */
import { STATUS_PROTOCOL } from '../../../src/node/syncServer.ts'
import { TOPOLOGY } from '../internet.ts'
import type { World } from '../world.ts'
import { BarePeers } from './barePeers.ts'
import { Deeds, type Squad } from './squad.ts'

const DIAL_MS = 500

export interface EclipseOptions {
  /** Index of the tab it is about; below 0, from the end. */
  readonly victim: number
  readonly names: number
  /** For so long, ms; a victim may not come back before. */
  readonly forMs: number
}

/** The tab that is recruited does nothing itself: the names are what attacks. */
export function eclipse ({ victim, names, forMs }: EclipseOptions = { victim: -1, names: 24, forMs: 180_000 }): Squad {
  const deeds = new Deeds()
  let begun = false
  const begin = (world: World): void => {
    const { hub } = world.internet
    const tab = world.tabs.at(victim)!
    const peers = new BarePeers(world, 'eclipse', names, false, ({ network }) => {
      void network.handle(STATUS_PROTOCOL, { maxRequestBytes: 256, maxResponseBytes: 256, perPeerPerSecond: 4 }, async (_, body) => {
        deeds.add('empty answers')
        return body
      })
    })
    const endMs = world.elapsed + forMs
    const dial = (): void => {
      if (world.elapsed >= endMs) {
        peers.stop()
        return
      }
      const id = tab.session?.id
      if (id !== undefined && tab.up) {
        const mine = new Set(peers.all.map(p => p.id))
        for (const p of mine) {
          if (hub.links(id).length >= TOPOLOGY.hard) break
          if (!hub.links(p).includes(id)) hub.connect(p, id)
        }
        deeds.add(hub.links(id).every(l => mine.has(l)) ? 'half seconds with every link' : 'half seconds with some links')
      }
      world.scheduler.after(DIAL_MS, dial)
    }
    dial()
  }
  return {
    name: 'eclipse',
    deeds,
    recruit: () => ({
      name: 'eclipse',
      started: tab => {
        if (begun) return
        begun = true
        begin(tab.world)
      }
    })
  }
}
