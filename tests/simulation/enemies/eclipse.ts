/**
 * Fills all places of one victim, or of everybody, with names of its own that agree with whatever they hear and tell
 * nothing. What is left to the victim are the links that it dials itself (src/net/mesh.ts), as long as the other
 * end, full of such names too, has a place for it.
 */
import { STATUS_PROTOCOL } from '../../../src/node/syncServer.ts'
import type { PeerId } from '../../../src/ports/network.ts'
import { TOPOLOGY } from '../internet.ts'
import type { World } from '../world.ts'
import { BarePeers } from './barePeers.ts'
import { Deeds, type Squad } from './squad.ts'

const DIAL_MS = 500

export interface EclipseOptions {
  /** Index of the tab it is about; below 0, from the end. */
  readonly victim: number
  readonly names: number
  /** Whether the others' places are filled, too. */
  readonly everybody?: boolean
  /** Since its tab has come, ms: the others have links by then. */
  readonly afterMs?: number
  /** For so long, ms; a victim may not come back before. */
  readonly forMs: number
}

/** The tab that is recruited does nothing itself: the names are what attacks. */
export function eclipse ({ victim, names, everybody = false, afterMs = 0, forMs }: EclipseOptions = { victim: -1, names: 24, forMs: 180_000 }): Squad {
  const deeds = new Deeds()
  let begun = false
  const begin = (world: World): void => {
    const { hub } = world.internet
    const tab = world.tabs.at(victim)!
    const peers = new BarePeers(world, 'eclipse', names, true, ({ network }) => {
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
      const mine = new Set(peers.all.map(p => p.id))
      const fill = (id: PeerId): void => {
        for (const p of mine) {
          if (hub.links(id).length >= TOPOLOGY.hard) break
          if (!hub.links(p).includes(id)) hub.connect(p, id)
        }
      }
      for (const t of everybody ? world.tabs : [tab]) if (t.up && t.session !== undefined) fill(t.session.id)
      if (tab.up && tab.session !== undefined) {
        const links = hub.links(tab.session.id)
        const held = links.filter(l => mine.has(l)).length
        deeds.add(held === links.length ? 'half seconds with every link' : held > links.length / 2 ? 'half seconds with most links' : 'half seconds with some links')
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
        tab.world.scheduler.after(afterMs, () => { begin(tab.world) })
      }
    })
  }
}
