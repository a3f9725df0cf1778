/** Metadata that comes late: two who follow a magnet link are linked before either knows what is in it. */
import { afterAll, expect, test } from 'vitest'
import { connected, realNode, type RealNode } from './nodes.ts'

const nodes: RealNode[] = []
afterAll(async () => { for (const n of nodes.reverse()) await n.end() })

async function until (what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!await probe()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen`)
    await new Promise(resolve => { setTimeout(resolve, 50) })
  }
}

test('who has got the metadata tells those who were linked before', async () => {
  for (let i = 0; i < 3; i++) nodes.push(await realNode(nodes.map(n => n.address)))
  const [a, b, c] = nodes
  await connected(nodes)
  const torrent = await c!.swarm.share([new File([new Uint8Array(100_000).fill(7)], 'x.bin')], 'x')
  const infoHash = (await c!.swarm.stored())[0]!.infoHash
  await a!.swarm.follow(infoHash, { fetch: false })
  await b!.swarm.follow(infoHash, { fetch: false })
  await a!.swarm.peers(infoHash, [b!.name])
  await until('the link', async () => (await a!.swarm.status()).items[0]!.links.length === 1 && (await b!.swarm.status()).items[0]!.links.length === 1)
  await new Promise(resolve => { setTimeout(resolve, 300) })
  // a never hears of c: what it learns, it learns of b.
  await c!.swarm.follow(infoHash, { torrent, fetch: false })
  await b!.swarm.peers(infoHash, [a!.name, c!.name])
  await until('b knows', async () => (await b!.swarm.status()).items[0]!.state !== 'metadata')
  await until('a knows', async () => (await a!.swarm.status()).items[0]!.state !== 'metadata')
  expect((await a!.swarm.status()).items[0]!.links.map(l => l.peer)).toEqual([b!.name])
}, 30_000)
