/** A world in parts: what goes over between them arrives as it was sent, and threads make no difference. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Parcel } from '../../../src/net/memoryParts.ts'
import type { SweepReport } from '../report/types.ts'
import { LARGE_ROUND_MS, scaleSweep } from '../scale.ts'
import { World } from '../world.ts'
import { inTurns, type Part } from './lockstep.ts'
import { Inbox, Outbox } from './post.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

const gossip = (bytes: Uint8Array, atMs = 5): Parcel => ({ kind: 'gossip', from: 'a', to: 'b', atMs, bytes, name: 1, topic: 't', origin: 'a' })

describe('the post between two parts', () => {
  it('brings the same bytes once, as one object', () => {
    const [out, into] = [new Outbox(), new Inbox()]
    const bytes = Uint8Array.of(1, 2, 3)
    out.put(gossip(bytes))
    out.put({ kind: 'request', from: 'a', to: 'c', atMs: 6, call: 1, protocol: 'p', bytes })
    const first = structuredClone(out.empty())
    expect(first.fresh).toHaveLength(1)
    const [one, two] = into.open(first, 0)
    expect(one).toEqual(gossip(bytes))
    expect(two.bytes).toBe(one.bytes)
    out.put(gossip(bytes))
    const second = structuredClone(out.empty())
    expect(second.fresh).toEqual([])
    expect(into.open(second, 0)[0].bytes).toBe(one.bytes)
  })

  it('sends of a view no more than is seen', () => {
    const out = new Outbox()
    out.put(gossip(new Uint8Array(1_000).subarray(10, 14).fill(7)))
    const [[, bytes]] = out.empty().fresh
    expect(bytes).toEqual(Uint8Array.of(7, 7, 7, 7))
    expect(bytes.buffer.byteLength).toBe(4)
  })

  it('sends again what the other side has forgotten, and forgets it itself', () => {
    const [out, into] = [new Outbox(), new Inbox()]
    const old = Uint8Array.of(9)
    const sendOne = (bytes: Uint8Array): Parcel => {
      out.put(gossip(bytes))
      return into.open(structuredClone(out.empty()), 0)[0]
    }
    const before = sendOne(old)
    for (let i = 0; i < 17_000; i++) sendOne(Uint8Array.of(i & 255, i >> 8))
    const again = sendOne(old)
    expect(again).toEqual(before)
    expect(again.bytes).not.toBe(before.bytes)
    expect(() => into.open({ parcels: [{ ...gossip(old), bytes: 0 }], fresh: [] }, 0)).toThrow('bytes 0 were never sent')
  })

  it('lets nothing arrive in the past', () => {
    const [out, into] = [new Outbox(), new Inbox()]
    out.put(gossip(Uint8Array.of(1), 29.5))
    out.put(gossip(Uint8Array.of(1), 30.5))
    expect(into.open(out.empty(), 30).map(p => p.atMs)).toEqual([30, 30.5])
  })
})

function twoParts (seed: string): [Part, Part] {
  const part = (index: number): Part => {
    const outbox = new Outbox()
    const world = new World({ seed, nodes: 8, compute: 'stand-in', laptopSliceMs: 100, warm: true, devices: 'laptop', duty: 0.02, part: { index, post: p => { outbox.put(p) } } })
    world.openAll(1_000)
    return { world, outbox, inbox: new Inbox() }
  }
  return [part(0), part(1)]
}

describe('two parts', () => {
  it('are one network: each tab runs in one of them, and all have one chain', async () => {
    const parts = twoParts('one network')
    await inTurns(parts, 90_000, () => {})
    const [a, b] = parts.map(({ world }) => world.tabs.filter(t => t.up).map(t => t.index))
    expect(a.length).toBeGreaterThan(0)
    expect(b.length).toBeGreaterThan(0)
    expect([...a, ...b].sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    const nodes = parts.flatMap(({ world }) => world.tabs.flatMap(t => t.node ?? []))
    const low = Math.min(...nodes.map(n => n.chain.head().height))
    expect(low).toBeGreaterThan(2)
    expect(new Set(nodes.map(n => n.chain.metaAt(low - 2)!.hash.join())).size).toBe(1)
  }, 120_000)

  it('stop when one of them has unlinked what the other has not', async () => {
    const parts = twoParts('unlinked')
    const { hub } = parts[0].world.internet
    await inTurns(parts, 30_000, () => {})
    hub.disconnect('n0.1', hub.links('n0.1')[0])
    await expect(inTurns(parts, 31_000, () => {})).rejects.toThrow('linked in two ways')
  }, 120_000)
})

it('in two threads make the world that they make in one', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/run.mjs', '--bundle', 'src/cli/sim.ts', '--scenario', 'scale', '--nodes', '24', '--hours', '0.03', '--seed', 'threads', '--json'], { cwd: ROOT, maxBuffer: 64e6 })
  const threads = JSON.parse(stdout) as SweepReport
  const turns = await scaleSweep({ seed: 'threads', nodes: 24, hours: 0.03, params: { roundMs: LARGE_ROUND_MS } })
  const figures = (r: SweepReport): unknown => r.points.map(({ blocksMain, bytesPerSecond, diskBytes, events, moments, nodes, propagationMs, tabs }) => ({ blocksMain, bytesPerSecond, diskBytes, events, moments, nodes, propagationMs, tabs }))
  expect(threads.points[0].blocksMain).toBeGreaterThan(2)
  expect(figures(threads)).toEqual(JSON.parse(JSON.stringify(figures(turns))))
}, 300_000)
