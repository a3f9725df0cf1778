/** What cannot be had once is tried again: the package, a torrent that is not ready, a disk that was full. */
import { expect, test } from 'vitest'
import { lazySwarm } from '../../../src/net/swarm/lazySwarm.ts'
import { MemorySwarmHub } from '../../../src/net/swarm/memory.ts'
import { MeshLinks, type MeshLinksDeps } from '../../../src/net/swarm/meshLinks.ts'
import { MemoryDisk } from '../../../src/net/swarm/pieceDisk.ts'
import { WebTorrentSwarm } from '../../../src/net/swarm/webtorrentSwarm.ts'
import { ManualClock } from '../../node/chainRig.ts'

const HASH = 'ab'.repeat(20)

test('a swarm that could not be loaded is loaded at the next call, and has the limits that were set', async () => {
  let tries = 0
  const swarm = lazySwarm(async () => {
    if (tries++ === 0) throw new Error('offline')
    return new MemorySwarmHub({ clock: new ManualClock(0) }).join('us')
  })
  await expect(swarm.follow(HASH, { fetch: false })).rejects.toThrow('offline')
  await swarm.limits({ up: 1, down: 1 })
  await swarm.follow(HASH, { fetch: false })
  expect((await swarm.status()).items.map(i => i.infoHash)).toEqual([HASH])
})

test('a torrent that takes nobody yet is offered its peers again', async () => {
  let now = 0
  let opened = 0
  const stream = (): object => Object.assign(new EventTarget(), { status: 'open', abort () {}, send: () => true, resume () {}, pause () {} })
  const deps = {
    streams: { self: 'us', isConnected: () => true, isBanned: () => false, open: async () => { opened++; return stream() }, handle: async () => () => {} },
    now: () => now,
    item: () => ({ links: new Map(), failed: false, isComplete: () => false, torrent: { destroyed: false, addPeer: () => { throw new Error('not before its name is known') } } }),
    admits: () => true,
    onError: (e: unknown) => { throw e }
  } as unknown as MeshLinksDeps
  const mesh = new MeshLinks(deps)
  for (const at of [0, 60_000]) {
    now = at
    mesh.want(HASH, ['they'])
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
  expect(opened).toBe(2)
})

test('what a share could not write to the end is not left on the disk', async () => {
  const disk = new MemoryDisk(100_000)
  const swarm = new WebTorrentSwarm({ streams: undefined as never, openDisk: async () => ({ disk }), trackers: [], iceServers: [], onError: e => { throw e } })
  await expect(swarm.share([new File([new Uint8Array(200_000)], 'x.bin')], 'x')).rejects.toMatchObject({ kind: 'full' })
  expect(await disk.stored()).toEqual([])
})
