/** A Swarm, or the disk of one, on the other side of a message port (net/portCalls.ts). */
import { Calls, compact, Given, type Port } from '../portCalls.ts'
import type { PeerId } from '../../ports/network.ts'
import type { FollowOptions, InfoHash, LinkId, Swarm, SwarmEvent, SwarmLimits, SwarmStatus } from '../../ports/swarm.ts'
import type { PieceDisk } from './pieceDisk.ts'

/** Serves `swarm` to the other end of the port; the result ends that and closes the port. */
export function exposeSwarm (swarm: Swarm, port: Port): () => void {
  let off: Promise<() => void> | undefined
  const close = (): void => {
    void off?.then(stop => { stop() })
    calls.close()
  }
  const calls: Calls = new Calls(port, {
    status: () => swarm.status(),
    onEvent: async () => {
      off ??= swarm.onEvent(e => { calls.call('event', [e]).catch(() => {}) })
      await off
    },
    share: (files: readonly File[], name: string) => swarm.share(files, name),
    cancelShare: () => swarm.cancelShare(),
    follow: (infoHash: InfoHash, options: FollowOptions) => swarm.follow(infoHash, options),
    leave: (infoHash: InfoHash) => swarm.leave(infoHash),
    remove: (infoHash: InfoHash) => swarm.remove(infoHash),
    peers: (infoHash: InfoHash, peers: readonly PeerId[]) => swarm.peers(infoHash, peers),
    open: (infoHash: InfoHash, path: string) => swarm.open(infoHash, path),
    piece: async (infoHash: InfoHash, index: number) => {
      const bytes = await swarm.piece(infoHash, index)
      return bytes === undefined ? undefined : new Given(bytes)
    },
    limits: (limits: SwarmLimits) => swarm.limits(limits),
    send: (link: LinkId, bytes: Uint8Array) => swarm.send(link, bytes),
    serve: (link: LinkId, allowed: boolean) => swarm.serve(link, allowed),
    cut: (link: LinkId, forMs?: number) => swarm.cut(link, forMs),
    refuse: (peer: PeerId) => swarm.refuse(peer),
    stored: () => swarm.stored(),
    stop: async () => {
      await swarm.stop()
      // After the answer is on its way.
      setTimeout(close, 0)
    }
  })
  return close
}

/** The swarm that the other end of the port exposes. */
export function connectSwarm (port: Port): Swarm {
  const listeners = new Set<(e: SwarmEvent) => void>()
  const calls = new Calls(port, { event: (e: SwarmEvent) => { for (const l of listeners) l(e) } })
  let stopped = false
  const call = async <T>(method: string, ...args: readonly unknown[]): Promise<T> => await calls.call(method, args) as T
  return {
    status: () => call<SwarmStatus>('status'),
    onEvent: async listener => {
      listeners.add(listener)
      await call('onEvent')
      return () => { listeners.delete(listener) }
    },
    share: (files, name) => call<Uint8Array>('share', files, name),
    cancelShare: () => call('cancelShare'),
    follow: (infoHash, options) => call('follow', infoHash, options),
    leave: infoHash => call('leave', infoHash),
    remove: infoHash => call('remove', infoHash),
    peers: (infoHash, peers) => call('peers', infoHash, peers),
    open: (infoHash, path) => call<Blob>('open', infoHash, path),
    piece: (infoHash, index) => call<Uint8Array | undefined>('piece', infoHash, index),
    limits: limits => call('limits', limits),
    send: (link, bytes) => call('send', link, compact(bytes)),
    serve: (link, allowed) => call('serve', link, allowed),
    cut: (link, forMs) => call('cut', link, forMs),
    refuse: peer => call('refuse', peer),
    stored: () => call('stored'),
    stop: async () => {
      if (stopped) return
      stopped = true
      try { await call('stop') } finally { calls.close() }
    }
  }
}

/** Serves a disk, which lives in a worker, to the page. */
export function exposeDisk (disk: PieceDisk, port: Port): void {
  new Calls(port, {
    read: async (infoHash: InfoHash, at: number, length: number) => {
      const bytes = await disk.read(infoHash, at, length)
      return bytes === undefined ? undefined : new Given(bytes)
    },
    write: async (infoHash: InfoHash, at: number, bytes: Uint8Array) => {
      await disk.write(infoHash, at, bytes)
      return new Given(bytes)
    },
    close: (infoHash: InfoHash) => disk.close(infoHash),
    remove: (infoHash: InfoHash) => disk.remove(infoHash),
    stored: () => disk.stored()
  })
}

/** Pieces that are written at once, mostly. */
const SPARE_BUFFERS = 4

export function connectDisk (port: Port, kind: PieceDisk['kind']): PieceDisk {
  const calls = new Calls(port, {})
  /** Buffers that have come back: a new one per piece, on either side, is garbage for which nobody hurries to look. */
  const spare: Uint8Array[] = []
  const carry = (bytes: Uint8Array): Uint8Array => {
    const at = spare.findIndex(s => s.length === bytes.length)
    const carrier = at < 0 ? new Uint8Array(bytes.length) : spare.splice(at, 1)[0]
    carrier.set(bytes)
    return carrier
  }
  return {
    kind,
    read: async (infoHash, at, length) => await calls.call('read', [infoHash, at, length]) as Uint8Array | undefined,
    // Copied: a piece is still served from memory by whoever wrote it.
    write: async (infoHash, at, bytes) => {
      const carrier = carry(bytes)
      const back = await calls.call('write', [infoHash, at, carrier], [carrier.buffer as ArrayBuffer]) as Uint8Array
      if (spare.push(back) > SPARE_BUFFERS) spare.shift()
    },
    close: async infoHash => { await calls.call('close', [infoHash]) },
    remove: async infoHash => { await calls.call('remove', [infoHash]) },
    stored: async () => await calls.call('stored', []) as Awaited<ReturnType<PieceDisk['stored']>>
  }
}
