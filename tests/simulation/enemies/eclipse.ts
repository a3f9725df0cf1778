/**
 * Fills all links of one victim with names of its own that agree with whatever it says and tell it
 * nothing. The victim still dials others now and then (src/net/mesh.ts: every 45 s), and a link that
 * it has may be dropped to make room; that is what it is saved by.
 */
import { STATUS_PROTOCOL } from '../../../src/node/syncServer.ts'
import { TOPOLOGY } from '../internet.ts'
import type { World } from '../world.ts'
import { BarePeers } from './barePeers.ts'
import { Deeds, type Squad } from './squad.ts'

const DIAL_MS = 500

export interface EclipseOptions {
  /** Index of the tab it is about. */
  readonly victim: number
  readonly names: number
}

/** The tab that is recruited does nothing itself: the names are what attacks. */
export function eclipse ({ victim, names }: EclipseOptions = { victim: 0, names: 24 }): Squad {
  const deeds = new Deeds()
  let begun = false
  const begin = (world: World): void => {
    const { hub } = world.internet
    const peers = new BarePeers(world, 'eclipse', names, false, ({ network }) => {
      void network.handle(STATUS_PROTOCOL, { maxRequestBytes: 256, maxResponseBytes: 256, perPeerPerSecond: 4 }, async (_, body) => {
        deeds.add('empty answers')
        return body
      })
    })
    const dial = (): void => {
      const id = world.tabs[victim].session?.id
      if (id !== undefined && world.tabs[victim].up) {
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
