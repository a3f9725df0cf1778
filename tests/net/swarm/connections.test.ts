/** What a torrent's connections and its tracker's socket do beside their work is nothing for the page's console. */
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { PeerStreams } from '../../../src/net/peerStreams.ts'
import { MemoryDisk } from '../../../src/net/swarm/pieceDisk.ts'
import { WebTorrentSwarm } from '../../../src/net/swarm/webtorrentSwarm.ts'
import type { AddOptions, ClientClass, ClientOptions } from '../../../src/net/swarm/webtorrentTypes.ts'

const hashOf = (n: number): string => n.toString(16).padStart(40, '0')

/** Sets that are followed with a tracker, on a client that only notes what it is told. */
async function followed (sets: number): Promise<{ readonly torrents: EventEmitter[], readonly socket: EventEmitter, readonly options: ClientOptions, readonly swarm: WebTorrentSwarm }> {
  const torrents: EventEmitter[] = []
  const socket = new EventEmitter()
  let options: ClientOptions | undefined
  class FakeClient extends EventEmitter {
    constructor (o: ClientOptions) {
      super()
      options = o
    }

    add (_torrent: string, _o: AddOptions): EventEmitter {
      const torrent = Object.assign(new EventEmitter(), { destroyed: true, ready: false, metadata: null, wires: [], discovery: { tracker: { _trackers: [{ socket }, { socket: null }, {}] } }, _updateWireInterest () {}, _update () {}, _request: () => false })
      torrents.push(torrent)
      return torrent
    }

    throttleDownload (): void {}
    throttleUpload (): void {}
    destroy (done: () => void): void { done() }
  }
  const streams = { self: 'us', handle: async () => () => {} } as unknown as PeerStreams
  const swarm = new WebTorrentSwarm({ streams, openDisk: async () => ({ disk: new MemoryDisk(1_000) }), trackers: ['ws://example.org/announce'], iceServers: [], onError: e => { throw e }, load: async () => FakeClient as unknown as ClientClass })
  for (let i = 0; i < sets; i++) await swarm.follow(hashOf(i), { fetch: false })
  return { torrents, socket, options: options!, swarm }
}

test.each(['peer', 'invalidPeer'])('a connection that a torrent was given (%s) may fail more than once, after all others have left it as well', async event => {
  const { torrents: [torrent], swarm } = await followed(1)
  const connection = new EventEmitter()
  connection.once('error', () => {})
  torrent.emit(event, connection)
  for (const words of ['Connection failed.', 'User-Initiated Abort, reason=Close called']) connection.emit('error', new Error(words))
  torrent.emit(event, '1.2.3.4:5')
  await swarm.stop()
})

test('all sets share the socket of a tracker: it may have a listener for each', async () => {
  const { socket, options, swarm } = await followed(12)
  if (options.tracker === false) throw new Error('no tracker')
  expect(options.tracker.getAnnounceOpts?.()).toEqual({})
  expect(socket.getMaxListeners()).toBe(0)
  await swarm.stop()
})
