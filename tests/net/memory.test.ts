import { describe, expect, it } from 'vitest'
import { GOSSIP_BURST, SEEN_MS } from '../../src/net/bounds.ts'
import { createMemoryHub, type MemoryHubOptions } from '../../src/net/memory.ts'
import type { Clock, Random } from '../../src/ports/clock.ts'
import type { Network, RequestError } from '../../src/ports/network.ts'

/** Virtual time: nothing happens but by `run`. */
class TestClock implements Clock {
  #now = 1_000_000
  #seq = 0
  #due: Array<{ at: number, seq: number, fn: () => void }> = []
  now (): number { return this.#now }
  after (ms: number, fn: () => void): () => void {
    const entry = { at: this.#now + ms, seq: this.#seq++, fn }
    this.#due.push(entry)
    return () => { this.#due = this.#due.filter(e => e !== entry) }
  }

  get pending (): number { return this.#due.length }

  async run (ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await new Promise(resolve => setImmediate(resolve))
      const next = this.#due.filter(e => e.at <= until).sort((a, b) => a.at - b.at || a.seq - b.seq)[0]
      if (next === undefined) break
      this.#due = this.#due.filter(e => e !== next)
      this.#now = next.at
      next.fn()
    }
    this.#now = until
  }
}

function seeded (seed: number): Random {
  let x = seed
  return {
    bytes: n => Uint8Array.from({ length: n }, () => {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0
      return x >>> 24
    })
  }
}

function world (n: number, options: Omit<MemoryHubOptions, 'clock'> = {}): { clock: TestClock, hub: ReturnType<typeof createMemoryHub>, nodes: Network[] } {
  const clock = new TestClock()
  const hub = createMemoryHub({ clock, random: seeded(7), ...options })
  return { clock, hub, nodes: Array.from({ length: n }, (_, i) => hub.join(`n${i}`)) }
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s)

async function hearers (nodes: readonly Network[], topic: string, clock: TestClock): Promise<Map<number, number>> {
  const at = new Map<number, number>()
  await Promise.all(nodes.map(async (n, i) => n.subscribe(topic, async () => {
    if (!at.has(i)) at.set(i, clock.now())
    return 'accept'
  })))
  return at
}

describe('the hub in memory', () => {
  it('moves only with its clock, a latency per hop', async () => {
    const { clock, hub, nodes } = world(4, { latencyMs: 50, maxLinks: 0 })
    for (let i = 0; i < 3; i++) hub.connect(`n${i}`, `n${i + 1}`)
    const at = await hearers(nodes, 't', clock)
    const start = clock.now()
    await nodes[0].publish('t', text('x'))
    await clock.run(49)
    expect([...at]).toEqual([])
    await clock.run(200)
    expect([...at]).toEqual([[1, start + 50], [2, start + 100], [3, start + 150]])
  })

  it('floods a sparse network, each node once', async () => {
    const { clock, nodes } = world(60, { latencyMs: [10, 90], maxLinks: 4 })
    let seen = 0
    for (const n of nodes.slice(1)) {
      await n.subscribe('t', async () => {
        seen++
        return 'accept'
      })
    }
    await nodes[0].publish('t', text('x'))
    await clock.run(2_000)
    expect(seen).toBe(59)
    expect(clock.pending).toBe(0)
  })

  it('the same seed gives the same world', async () => {
    const runs = await Promise.all([0, 1].map(async () => {
      const { clock, nodes } = world(20, { latencyMs: [5, 50], loss: 0.2, maxLinks: 3 })
      const at = await hearers(nodes, 't', clock)
      for (let i = 0; i < 5; i++) await nodes[i].publish('t', text(`${i}`))
      await clock.run(5_000)
      return [...at]
    }))
    expect(runs[0]).toEqual(runs[1])
  })

  it('cuts pairs and groups, and heals', async () => {
    const { clock, hub, nodes } = world(4)
    const at = await hearers(nodes, 't', clock)
    hub.partition([['n0', 'n1'], ['n2', 'n3']])
    expect((await nodes[0].status()).peers.map(p => p.id)).toEqual(['n1'])
    await nodes[0].publish('t', text('one side'))
    await clock.run(100)
    expect([...at.keys()]).toEqual([1])
    hub.heal()
    hub.cut('n0', 'n2')
    expect(await nodes[0].request('n2', '/p', text('x'), { timeoutMs: 100, maxResponseBytes: 10 }).catch((e: RequestError) => e.kind)).toBe('unreachable')
    await nodes[0].publish('t', text('around'))
    await clock.run(100)
    expect([...at.keys()].sort()).toEqual([1, 2, 3])
  })

  it('a link that fails under way is a timeout', async () => {
    const { clock, hub, nodes } = world(2, { latencyMs: 10 })
    await nodes[1].handle('/p', { maxRequestBytes: 10, maxResponseBytes: 10, perPeerPerSecond: 5 }, async () => text('ok'))
    const answer = nodes[0].request('n1', '/p', text('x'), { timeoutMs: 1_000, maxResponseBytes: 10 }).catch((e: RequestError) => e.kind)
    await clock.run(5)
    hub.cut('n0', 'n1')
    await clock.run(1_000)
    expect(await answer).toBe('timeout')
  })

  it('loses its share', async () => {
    const { clock, nodes } = world(2, { loss: 0.5 })
    let heard = 0
    await nodes[1].subscribe('t', async () => {
      heard++
      return 'accept'
    })
    for (let i = 0; i < 400; i++) {
      await nodes[0].publish('t', text('x'))
      await clock.run(100)
    }
    expect(heard).toBeGreaterThan(150)
    expect(heard).toBeLessThan(250)
  })

  it('a silent validator has ignored after 10 s, and its late verdict counts for nothing', async () => {
    const { clock, hub, nodes } = world(3, { maxLinks: 0 })
    hub.connect('n0', 'n1')
    hub.connect('n1', 'n2')
    let late: (v: 'reject') => void = () => {}
    await nodes[1].subscribe('t', async () => new Promise(resolve => { late = resolve }))
    const at = await hearers([nodes[2]], 't', clock)
    await nodes[0].publish('t', text('x'))
    await clock.run(10_001)
    late('reject')
    await clock.run(1_000)
    expect(at.size).toBe(0)
    expect((await nodes[1].status()).peers.find(p => p.id === 'n0')?.score === 0).toBe(true)
  })

  it('strangers whose messages are judged for long leave a quiet neighbour places', async () => {
    const { clock, nodes } = world(11)
    const heard: string[] = []
    const [judge, quiet, ...loud] = nodes
    await judge.subscribe('t', async m => {
      if (m.via === 'n1') heard.push(new TextDecoder().decode(m.bytes))
      return await new Promise(() => {})
    })
    for (const [k, n] of loud.entries()) for (let i = 0; i < 64; i++) await n.publish('t', text(`${k} ${i}`))
    await clock.run(100)
    for (let i = 0; i < 10; i++) await quiet.publish('t', text(`${i}`))
    await clock.run(100)
    expect(heard).toEqual(['0', '1', '2', '3'])
  })

  it.each([false, true])('a second copy is dropped while the message is known, and judged and passed on anew once it is forgotten (bytes shared: %s)', async share => {
    const again = [20, SEEN_MS - 1, SEEN_MS + 20]
    const { clock, hub, nodes } = world(3, { maxLinks: 0, share, route: from => (_, kind) => kind === 'gossip' && from === 'n0' ? [10, ...again] : [10] })
    hub.connect('n0', 'n1')
    hub.connect('n1', 'n2')
    const start = clock.now()
    const at: Array<[number, number]> = []
    for (const [i, n] of nodes.entries()) {
      await n.subscribe('t', async () => {
        at.push([i, clock.now() - start])
        return 'accept'
      })
    }
    await nodes[0].publish('t', text('x'))
    await clock.run(2 * SEEN_MS)
    expect(at).toEqual([[1, 10], [2, 20], [1, SEEN_MS + 20], [2, SEEN_MS + 30]])
  })

  it('a flood of one neighbour is bounded and ends in a disconnect', async () => {
    const { clock, nodes } = world(2)
    let judged = 0
    await nodes[1].subscribe('t', async () => {
      judged++
      return 'accept'
    })
    for (let i = 0; i < GOSSIP_BURST + 100; i++) await nodes[0].publish('t', text(`${i}`))
    await clock.run(500)
    expect(judged).toBeLessThanOrEqual(GOSSIP_BURST)
    expect((await nodes[1].status()).banned).toEqual([{ id: 'n0', reason: 'score' }])
  })

  it('whoever passes on what several say much of is not banned for it', async () => {
    const { clock, hub, nodes } = world(6, { maxLinks: 0 })
    const [relay, neighbour, quiet, ...loud] = nodes
    for (const i of [1, 2, 3, 4, 5]) hub.connect('n0', `n${i}`)
    const heard = { loud: 0, quiet: 0 }
    await relay.subscribe('t', async () => 'accept')
    await neighbour.subscribe('t', async m => { heard[m.origin === 'n2' ? 'quiet' : 'loud']++; return 'accept' })
    for (let t = 0; t < 1_000; t++) {
      for (const [k, n] of loud.entries()) await n.publish('t', text(`${t} ${k}`))
      if (t % 50 === 0) await quiet.publish('t', text(`quiet ${t}`))
      await clock.run(22)
    }
    const { banned, peers } = await neighbour.status()
    expect({ banned, peers: peers.map(p => [p.id, p.score]) }).toEqual({ banned: [], peers: [['n0', 0]] })
    expect((await relay.status()).peers).toHaveLength(5)
    // Most of what there is room for goes on, and all of him who says little.
    expect(heard.loud).toBeGreaterThan(600)
    expect(heard.quiet).toBe(20)
  })

  it('a ban for a while ends; a score recovers', async () => {
    const { clock, hub, nodes } = world(2)
    await nodes[0].ban('n1', 'for now', 1_000)
    hub.connect('n0', 'n1')
    expect((await nodes[0].status()).peers).toEqual([])
    await clock.run(1_001)
    hub.connect('n0', 'n1')
    expect((await nodes[0].status()).peers.map(p => p.id)).toEqual(['n1'])
    expect((await nodes[0].status()).banned).toEqual([])
  })

  it('tells of changes at once, of traffic at most once a second', async () => {
    const { clock, hub, nodes } = world(2)
    let told = 0
    await nodes[0].onStatus(() => { told++ })
    await nodes[1].subscribe('t', async () => 'accept')
    for (let i = 0; i < 50; i++) await nodes[0].publish('t', text(`${i}`))
    await clock.run(3_000)
    expect(told).toBe(1)
    hub.join('n2')
    expect(told).toBe(2)
  })
})
