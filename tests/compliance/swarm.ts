/** What every Swarm adapter must do: three nodes a, b, c, each connected to both others. */
import { describe, expect, test } from 'vitest'
import { decodeMetainfo } from '../../src/core/torrent/metainfo.ts'
import { type Swarm, SwarmError, type SwarmEvent, type SwarmItem } from '../../src/ports/swarm.ts'
import { file } from '../node/libraryRig.ts'

export interface SwarmNode { readonly name: string, readonly swarm: Swarm }
export interface Trio { readonly a: SwarmNode, readonly b: SwarmNode, readonly c: SwarmNode, readonly end: () => Promise<void> }

interface Watched extends SwarmNode { readonly events: SwarmEvent[] }

async function watch (node: SwarmNode): Promise<Watched> {
  const events: SwarmEvent[] = []
  await node.swarm.onEvent(e => { events.push(e) })
  return { ...node, events }
}

async function until (what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 25_000
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen`)
    await new Promise(resolve => { setTimeout(resolve, 50) })
  }
}

const item = async (n: SwarmNode, infoHash: string): Promise<SwarmItem | undefined> => (await n.swarm.status()).items.find(i => i.infoHash === infoHash)
const nameOf = (torrent: Uint8Array): string => {
  const m = decodeMetainfo(torrent)
  if (!m.ok) throw new Error(m.reason)
  return m.value.infoHash
}
const bytesOf = async (n: SwarmNode, infoHash: string, path: string): Promise<Buffer> => Buffer.from(await (await n.swarm.open(infoHash, path)).arrayBuffer())

export function swarmCompliance (name: string, make: () => Promise<Trio>): void {
  describe(`swarm, ${name}`, () => {
    const run = (what: string, body: (a: Watched, b: Watched, c: Watched) => Promise<void>): void => {
      test(what, async () => {
        const trio = await make()
        try {
          await body(await watch(trio.a), await watch(trio.b), await watch(trio.c))
        } finally { await trio.end() }
      })
    }

    run('what one shares, others fetch by its name alone, and every count is right', async (a, b, c) => {
      const f = file(700_000, 7)
      const torrent = await a.swarm.share([f], 'x')
      const hash = nameOf(torrent)
      await a.swarm.follow(hash, { torrent, fetch: true })
      await until('a has it', async () => (await item(a, hash))?.state === 'complete')
      for (const n of [b, c]) {
        await n.swarm.follow(hash, { fetch: false })
        await n.swarm.peers(hash, [a.name, b.name, c.name])
      }
      await until('the metadata', () => [b, c].every(n => n.events.some(e => e.type === 'metadata' && e.infoHash === hash)))
      for (const n of [b, c]) await n.swarm.follow(hash, { torrent, fetch: true })
      await until('both have it', async () => (await item(b, hash))?.state === 'complete' && (await item(c, hash))?.state === 'complete')
      for (const n of [b, c]) expect((await bytesOf(n, hash, 'f7.bin')).equals(Buffer.from(await f.arrayBuffer()))).toBe(true)
      await until('counts of both ends agree', async () => {
        const items = new Map(await Promise.all([a, b, c].map(async n => [n.name, (await item(n, hash))!] as const)))
        for (const [from, i] of items) for (const l of i.links) if (items.get(l.peer!)!.links.find(x => x.peer === from)?.down !== l.up) return false
        return [...items.values()].reduce((n, i) => n + i.down, 0) >= 1_400_000
      })
      const whole = (await item(b, hash))!
      expect([whole.haveBytes, whole.have.length]).toEqual([700_000, Math.ceil(Math.ceil(700_000 / 65_536) / 8)])
      for (const n of [a, b, c]) {
        const peers = (await item(n, hash))!.links.map(l => l.peer)
        expect(new Set(peers).size, 'one link per peer').toBe(peers.length)
        expect(n.events.filter(e => e.type === 'offence')).toEqual([])
      }
    })

    run('messages pass a link both ways; a link that is not served gets nothing; a peer that is refused has none', async (a, b) => {
      const torrent = await a.swarm.share([file(300_000, 8)], 'x')
      const hash = nameOf(torrent)
      await a.swarm.follow(hash, { torrent, fetch: true })
      await b.swarm.follow(hash, { torrent, fetch: false })
      await b.swarm.peers(hash, [a.name])
      const links = async (): Promise<number[]> => [(await item(a, hash))!.links[0]?.id, (await item(b, hash))!.links[0]?.id]
      await until('a link', async () => (await links()).every(l => l !== undefined))
      const [ofA, ofB] = await links()
      await a.swarm.serve(ofA, false)
      await b.swarm.follow(hash, { torrent, fetch: true })
      await a.swarm.send(ofA, Uint8Array.of(1, 2, 3))
      await b.swarm.send(ofB, Uint8Array.of(4))
      const heard = (n: Watched): number[][] => n.events.flatMap(e => e.type === 'message' ? [[...e.bytes]] : [])
      await until('both messages', () => heard(a).length === 1 && heard(b).length === 1)
      expect([heard(a), heard(b)]).toEqual([[[4]], [[1, 2, 3]]])
      await new Promise(resolve => { setTimeout(resolve, 500) })
      expect((await item(b, hash))!.haveBytes).toBe(0)
      await a.swarm.serve(ofA, true)
      await until('it comes once it is served', async () => (await item(b, hash))!.state === 'complete')
      await b.swarm.refuse(a.name)
      await until('no link', async () => (await item(b, hash))!.links.length === 0)
      expect(b.events.some(e => e.type === 'unlink' && e.link.peer === a.name && e.link.down === 300_000)).toBe(true)
      await new Promise(resolve => { setTimeout(resolve, 1_500) })
      expect((await item(b, hash))!.links).toEqual([])
    })

    run('a piece is given as it lies in the store; one that is not here, or of nothing, is not', async (a, b) => {
      const f = file(200_000, 11)
      const whole = Buffer.from(await f.arrayBuffer())
      const torrent = await a.swarm.share([f], 'x')
      const hash = nameOf(torrent)
      expect(await a.swarm.piece(hash, 0)).toBeUndefined()
      await a.swarm.follow(hash, { torrent, fetch: true })
      await until('a has it', async () => (await item(a, hash))?.state === 'complete')
      for (const [i, from, to] of [[0, 0, 65_536], [3, 196_608, 200_000]] as const) expect(whole.subarray(from, to).equals((await a.swarm.piece(hash, i))!)).toBe(true)
      expect(await a.swarm.piece(hash, 4)).toBeUndefined()
      await b.swarm.follow(hash, { torrent, fetch: false })
      await until('b knows its pieces', async () => (await item(b, hash))?.state === 'downloading')
      expect(await b.swarm.piece(hash, 0)).toBeUndefined()
      await a.swarm.leave(hash)
      expect(await a.swarm.piece(hash, 0)).toBeUndefined()
    })

    run('who leaves keeps the bytes, who removes does not', async (a) => {
      const torrent = await a.swarm.share([file(200_000, 9)], 'x')
      const hash = nameOf(torrent)
      await a.swarm.follow(hash, { torrent, fetch: true })
      await until('it is whole', async () => (await item(a, hash))?.state === 'complete')
      await a.swarm.leave(hash)
      expect(await item(a, hash)).toBeUndefined()
      expect(await a.swarm.stored()).toEqual([{ infoHash: hash, bytes: 200_000 }])
      await a.swarm.follow(hash, { torrent, fetch: true })
      await until('it is there again', async () => (await item(a, hash))?.state === 'complete')
      await a.swarm.remove(hash)
      expect(await a.swarm.stored()).toEqual([])
      await expect(a.swarm.open(hash, 'f9.bin')).rejects.toBeInstanceOf(SwarmError)
      await expect(a.swarm.share([file(10, 1, 'a'), file(10, 1, 'A')], 'two')).rejects.toMatchObject({ kind: 'metainfo' })
    })
  })
}
