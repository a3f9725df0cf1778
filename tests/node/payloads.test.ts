/** Contributions' payloads: from whoever has them, at a pace, and kept. */
import { describe, expect, test, vi } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { PayloadRequest } from '../../src/core/codec/wire.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { payloadDigest } from '../../src/core/training/payload.ts'
import { ASKED_PER_SECOND, ON_ACCOUNT_BURST, PAYLOAD_PROTOCOL, Payloads, REQUESTS_PER_SECOND } from '../../src/node/payloads.ts'
import { type Network, RequestError } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { JOB, NOTHING, place } from './fetchRig.ts'

// Whole nodes on one thread: seconds on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

describe('payloads', () => {
  const bytes = new Uint8Array(5000).map((_, i) => i % 251)
  const digest = payloadDigest(bytes)
  const round = { job: JOB, round: 3 }

  const make = (p: ReturnType<typeof place>, disk = new MemoryDisk(), diskBytesMax?: number, height = () => 10): Payloads =>
    new Payloads({ storage: new MemoryStorage(disk), network: p.net, clock: p.clock, random: p.random, blame: p.blame, log: p.log, height, historyBlocks: 96, diskBytesMax })

  test('come from whoever has them; who answers with something else is sent away', async () => {
    const p = place()
    const payloads = make(p)
    await payloads.start()
    await p.peer('liar', PAYLOAD_PROTOCOL, () => bytes.map(b => b ^ 1))
    await p.peer('poor', PAYLOAD_PROTOCOL, () => NOTHING)
    await p.peer('rich', PAYLOAD_PROTOCOL, body => toHex(body) === toHex(digest) ? bytes : NOTHING)
    expect(await p.during(30_000, payloads.fetch(digest, bytes.length, round, 'liar'))).toEqual(bytes)
    expect(p.refusals()).toEqual(['payload does not have its digest'])
    expect((await p.net.status()).banned.map(b => b.id)).toEqual(['liar'])
    expect(await payloads.has(digest)).toBe(true)
    // Of a wrong size it is not even asked for.
    expect(await payloads.fetch(payloadDigest(NOTHING), 0, round)).toBeUndefined()
    expect(await p.during(30_000, payloads.fetch(payloadDigest(new Uint8Array(1)), 1, round))).toBeUndefined()
  })

  test('are served, once asked for by many fetched once, and survive a reload', async () => {
    const p = place()
    const disk = new MemoryDisk()
    const payloads = make(p, disk)
    await payloads.start()
    const rich = await p.peer('rich', PAYLOAD_PROTOCOL, () => bytes)
    const all = await p.during(5_000, Promise.all([1, 2, 3].map(async () => await payloads.fetch(digest, bytes.length, round))))
    expect(all).toEqual([bytes, bytes, bytes])
    expect(rich.asked).toBe(1)
    payloads.stop()
    const again = make(p, disk)
    await again.start()
    expect(await again.get(digest)).toEqual(bytes)
    const answer = await p.during(1_000, rich.net.request('me', PAYLOAD_PROTOCOL, PayloadRequest.serialize({ digest }), { timeoutMs: 500, maxResponseBytes: 10_000 }))
    expect(answer).toEqual(bytes)
    expect(await p.during(1_000, rich.net.request('me', PAYLOAD_PROTOCOL, Uint8Array.of(1), { timeoutMs: 500, maxResponseBytes: 10_000 }))).toEqual(NOTHING)
  })

  const unknown = (n: number): Uint8Array => hash('test-unknown', u32le(n))
  /** A peer that answers as nodes do, no faster, and holds these. */
  const holder = async (p: ReturnType<typeof place>, id: string, ...held: Uint8Array[]): Promise<{ asked: number, readonly net: Network }> => {
    const h = { asked: 0, net: p.hub.join(id) }
    await h.net.handle(PAYLOAD_PROTOCOL, { maxRequestBytes: 32, maxResponseBytes: 1 << 20, perPeerPerSecond: REQUESTS_PER_SECOND }, async (_, body) => {
      h.asked++
      return held.find(x => toHex(payloadDigest(x)) === toHex(body)) ?? NOTHING
    })
    return h
  }

  test('are asked for no faster than peers answer, however many a seal or a stranger names', async () => {
    const p = place()
    const payloads = make(p)
    const h = await holder(p, 'holder', bytes)
    const all = Promise.all(Array.from({ length: 400 }, async (_, i) => await payloads.fetch(unknown(i), 100, round)))
    expect(await p.during(30_000, all)).toEqual(Array(400).fill(undefined))
    expect(h.asked).toBeGreaterThan(ASKED_PER_SECOND)
    expect(h.asked).toBeLessThanOrEqual(400)
    expect((await h.net.status()).peers.map(x => [x.id, x.score])).toEqual([['me', 0]])
    expect(await p.during(5_000, payloads.fetch(digest, bytes.length, round))).toEqual(bytes)
  })

  test('that somebody offers and does not give are asked of others only so often, on his account', async () => {
    const p = place()
    const payloads = make(p)
    const x = await holder(p, 'x')
    const h = await holder(p, 'holder', bytes)
    const flood = Promise.all(Array.from({ length: 200 }, async (_, i) => await payloads.fetchOffered(unknown(i), 100, round, 'x')))
    await p.clock.advance(1_000)
    expect(h.asked).toBeLessThan(2 * ON_ACCOUNT_BURST)
    // What another one offers does not wait for it, though it was offered by the first before.
    const withheld = payloads.fetchOffered(digest, bytes.length, round, 'x')
    expect(await p.during(1_000, payloads.fetchOffered(digest, bytes.length, round, 'holder'))).toEqual(bytes)
    await p.during(30_000, flood)
    expect(await withheld).toEqual(bytes)
    expect(h.asked).toBeLessThan(4 * ON_ACCOUNT_BURST)
    expect(x.asked).toBeGreaterThan(h.asked)
    for (const { net } of [x, h]) expect((await net.status()).banned).toEqual([])
    expect(p.refusals()).toEqual([])
  })

  test('are asked again of who offered them and is busy', async () => {
    const p = place()
    const payloads = make(p)
    const net = p.hub.join('busy')
    let asked = 0
    await net.handle(PAYLOAD_PROTOCOL, { maxRequestBytes: 32, maxResponseBytes: 1 << 20, perPeerPerSecond: REQUESTS_PER_SECOND }, async () => {
      if (asked++ < 2) throw new RequestError('busy', 'too many requests at once')
      return bytes
    })
    expect(await p.during(3_000, payloads.fetchOffered(digest, bytes.length, round, 'busy'))).toEqual(bytes)
    expect(asked).toBe(3)
  })

  test.each([1, -1])('that have their digest but not the size somebody named (%d) are not taken, and who holds them is not blamed', async more => {
    const p = place()
    const payloads = make(p)
    const h = await holder(p, 'holder', bytes)
    // Three of the offences that a longer answer can be would end the link.
    for (let n = 1; n <= 4; n++) {
      expect(await p.during(5_000, payloads.fetch(digest, bytes.length + n * more, round))).toBeUndefined()
      expect(h.asked).toBe(n)
    }
    expect(p.refusals()).toEqual([])
    expect((await p.net.status()).banned).toEqual([])
    expect(await p.during(5_000, payloads.fetch(digest, bytes.length, round))).toEqual(bytes)
  })

  test('are bounded in bytes and in age', async () => {
    const p = place()
    const disk = new MemoryDisk()
    let height = 10
    const payloads = make(p, disk, 10_000, () => height)
    await payloads.start()
    const many = [1, 2, 3, 4].map(n => bytes.map(b => b ^ n).subarray(0, 4000))
    for (const b of many) {
      await payloads.put(payloadDigest(b), b, round)
      height++
    }
    expect(payloads.bytesHeld).toBe(8000)
    expect((await new MemoryStorage(disk).keys('payloads')).length).toBe(2)
    height += 96
    await payloads.put(digest, bytes, round)
    expect(payloads.bytesHeld).toBe(bytes.length)
    expect((await new MemoryStorage(disk).keys('payloads')).length).toBe(1)
  })

  test('that were damaged on disk are not used', async () => {
    const p = place()
    const disk = new MemoryDisk()
    const payloads = make(p, disk)
    await payloads.start()
    await payloads.put(digest, bytes, round)
    const storage = new MemoryStorage(disk)
    const [key] = await storage.keys('payloads')
    await storage.commit([{ op: 'put', store: 'payloads', key, value: bytes.map(b => b ^ 4) }])
    payloads.stop()
    const again = make(p, disk)
    await again.start()
    expect(await again.get(digest)).toBeUndefined()
    expect(await again.has(digest)).toBe(false)
  })

  test('of a seal come from several peers at once, and where only the one who brought it has them, all from him', async () => {
    const many = Array.from({ length: 24 }, (_, n) => bytes.map(b => b ^ n))
    const fetchAll = async (others: readonly Uint8Array[]): Promise<{ ms: number, asked: number, atOnce: number }> => {
      const p = place()
      const payloads = make(p)
      const far = { asked: 0, now: 0, atOnce: 0 }
      await p.hub.join('far').handle(PAYLOAD_PROTOCOL, { maxRequestBytes: 32, maxResponseBytes: 1 << 20, perPeerPerSecond: REQUESTS_PER_SECOND }, async (_, body) => {
        far.asked++
        far.atOnce = Math.max(far.atOnce, ++far.now)
        await new Promise<void>(resolve => { p.clock.after(500, resolve) })
        far.now--
        return many.find(x => toHex(payloadDigest(x)) === toHex(body)) ?? NOTHING
      })
      for (const id of ['a', 'b', 'c', 'd']) await holder(p, id, ...others)
      const since = p.clock.now()
      let ms = 0
      const all = Promise.all(many.map(async b => await payloads.fetch(payloadDigest(b), b.length, round, 'far'))).then(got => { ms = p.clock.now() - since; return got })
      expect(await p.during(11_000, all)).toEqual(many)
      expect(p.refusals()).toEqual([])
      return { ms, asked: far.asked, atOnce: far.atOnce }
    }
    const spread = await fetchAll(many)
    // From him alone it would be eight times half a second.
    expect(spread.ms).toBeLessThan(1_000)
    expect(spread.asked).toBeLessThan(12)
    const alone = await fetchAll([])
    expect(alone.asked).toBe(24)
    expect([spread.atOnce, alone.atOnce]).toEqual([3, 3])
  })

  // Bytes of one payload, Mbit/s of the line, and how much longer than the line takes for all of them it may be. Three at a time it would be as long.
  test.each([[53_000, 2, 1.2], [53_000, 3, 1.2], [200_000, 10, 1.2]])('of %d bytes over a line of %d Mbit/s that they share do not make each other late', async (size, mbit, longer) => {
    const p = place()
    for (let n = 0; n < 12; n++) p.hub.join(`peer-${n}`)
    const many = Array.from({ length: 32 }, (_, n) => new Uint8Array(size).fill(n + 1))
    const down = new SharedLine(p.clock, mbit * 125)
    const network: Network = {
      ...p.net, handle: p.net.handle.bind(p.net), status: async () => await p.net.status(),
      request: async (_, __, body, o) => {
        const bytes = many.find(b => toHex(payloadDigest(b)) === toHex(body))!
        await down.load(bytes.length, o.timeoutMs)
        return bytes
      }
    }
    const payloads = make({ ...p, net: network })
    const since = p.clock.now()
    let ms = 0
    const all = Promise.all(many.map(async b => await payloads.fetch(payloadDigest(b), size, round, 'peer-0'))).then(got => { ms = p.clock.now() - since; return got })
    const got = await p.during(13_000, all)
    expect(got.filter(b => b === undefined)).toEqual([])
    expect(ms).toBeLessThan(longer * 32 * size / (mbit * 125))
  })
})

/** What comes over it at once shares it evenly; what is given up leaves it. */
class SharedLine {
  readonly #clock: ReturnType<typeof place>['clock']
  /** Per ms. */
  readonly #bytes: number
  readonly #loads = new Set<{ left: number, done: () => void }>()
  #since = 0
  #cancel = (): void => {}

  constructor (clock: ReturnType<typeof place>['clock'], bytes: number) {
    this.#clock = clock
    this.#bytes = bytes
  }

  async load (size: number, timeoutMs: number): Promise<void> {
    this.#pass()
    await new Promise<void>((resolve, reject) => {
      const load = { left: size, done: (): void => { cancel(); resolve() } }
      const cancel = this.#clock.after(timeoutMs, () => {
        this.#pass()
        this.#loads.delete(load)
        reject(new RequestError('timeout', 'too slow'))
        this.#pass()
      })
      this.#loads.add(load)
      this.#pass()
    })
  }

  #pass (): void {
    const now = this.#clock.now()
    const share = (now - this.#since) * this.#bytes / Math.max(1, this.#loads.size)
    this.#since = now
    for (const load of [...this.#loads]) {
      load.left -= share
      if (load.left > 0.001) continue
      this.#loads.delete(load)
      load.done()
    }
    this.#cancel()
    if (this.#loads.size > 0) this.#cancel = this.#clock.after(Math.ceil(Math.min(...[...this.#loads].map(l => l.left)) * this.#loads.size / this.#bytes), () => { this.#pass() })
  }
}
