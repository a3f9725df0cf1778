/** A swarm that is loaded when the first torrent is followed: a page that has none stays as small as it was. */
import type { Swarm, SwarmEvent, SwarmLimits } from '../../ports/swarm.ts'

export function lazySwarm (load: () => Promise<Swarm>): Swarm {
  const listeners = new Set<(e: SwarmEvent) => void>()
  let loading: Promise<Swarm> | undefined
  let limits: SwarmLimits = { up: 0, down: 0 }
  let stopped = false
  const start = async (): Promise<Swarm> => {
    const swarm = await load()
    await swarm.onEvent(e => { for (const l of listeners) l(e) })
    await swarm.limits(limits)
    if (stopped) await swarm.stop()
    return swarm
  }
  // What could not be loaded now (the network is away) is tried again when it is wanted again.
  const use = (): Promise<Swarm> => loading ??= start().catch((e: unknown) => {
    loading = undefined
    throw e
  })
  const ifLoaded = async (run: (s: Swarm) => Promise<void>): Promise<void> => { if (loading !== undefined) await run(await loading) }
  return {
    status: async () => loading === undefined ? { items: [], store: 'opfs' } : await (await loading).status(),
    onEvent: async listener => {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },
    share: async (files, name) => await (await use()).share(files, name),
    cancelShare: () => ifLoaded(s => s.cancelShare()),
    follow: async (infoHash, options) => { await (await use()).follow(infoHash, options) },
    leave: infoHash => ifLoaded(s => s.leave(infoHash)),
    remove: async infoHash => { await (await use()).remove(infoHash) },
    peers: (infoHash, peers) => ifLoaded(s => s.peers(infoHash, peers)),
    open: async (infoHash, path) => await (await use()).open(infoHash, path),
    piece: async (infoHash, index) => loading === undefined ? undefined : await (await loading).piece(infoHash, index),
    limits: async l => {
      limits = l
      await ifLoaded(s => s.limits(l))
    },
    send: (link, bytes) => ifLoaded(s => s.send(link, bytes)),
    serve: (link, allowed) => ifLoaded(s => s.serve(link, allowed)),
    cut: (link, forMs) => ifLoaded(s => s.cut(link, forMs)),
    refuse: peer => ifLoaded(s => s.refuse(peer)),
    stored: async () => await (await use()).stored(),
    stop: async () => {
      stopped = true
      await ifLoaded(s => s.stop())
    }
  }
}
