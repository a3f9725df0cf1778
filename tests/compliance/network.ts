/**
 * What every Network must do, whatever carries it. An adapter's test names a world and runs the
 * suite; the world gives it three nodes in a line, A - B - C, so that what reaches C has been
 * forwarded by B.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MAX_GOSSIP_BYTES } from '../../src/core/params.ts'
import { MAX_REQUESTS_PER_PEER } from '../../src/net/bounds.ts'
import { type GossipMessage, type Network, type NetworkStatus, RequestError, type Verdict } from '../../src/ports/network.ts'

export interface Line {
  readonly a: Network
  readonly b: Network
  readonly c: Network
  /** Ends what the nodes do not: the hub, the servers. */
  close?(): Promise<void>
}

/** Polls until `probe` holds; says what did not happen otherwise. */
export async function until (what: string, probe: () => Promise<boolean> | boolean, ms = 20_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!await probe()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${ms} ms`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s)
const words = (m: { readonly bytes: Uint8Array }): string => new TextDecoder().decode(m.bytes)
const idOf = async (n: Network): Promise<string> => (await n.status()).self
const peersOf = async (n: Network): Promise<string[]> => (await n.status()).peers.map(p => p.id)

/** Subscribes with a verdict per text, and keeps what arrives. */
async function listen (n: Network, topic: string, verdict: (m: GossipMessage) => Verdict | Promise<Verdict>): Promise<{ readonly got: GossipMessage[], readonly stop: () => void }> {
  const got: GossipMessage[] = []
  const stop = await n.subscribe(topic, async m => {
    got.push(m)
    return verdict(m)
  })
  return { got, stop }
}

/** Publishes anew until it arrives: a mesh needs a moment to hear of a subscription. */
async function publishUntil (n: Network, topic: string, label: string, arrived: () => boolean): Promise<void> {
  let i = 0
  await until(`${label} on ${topic} arriving`, async () => {
    if (!arrived() && i < 100) await n.publish(topic, text(`${label}#${i++}`))
    await new Promise(resolve => setTimeout(resolve, 60))
    return arrived()
  })
}

const starts = (got: readonly GossipMessage[], label: string): boolean => got.some(m => words(m).startsWith(label))

async function failure (p: Promise<unknown>): Promise<string> {
  try {
    await p
  } catch (e) {
    if (e instanceof RequestError) return e.kind
    throw e
  }
  return 'answered'
}

export function networkCompliance (name: string, makeLine: () => Promise<Line>): void {
  describe(`Network: ${name}`, () => {
    let line: Line
    let ids: { readonly a: string, readonly b: string, readonly c: string }
    const limits = { maxRequestBytes: 1000, maxResponseBytes: 200_000, perPeerPerSecond: 50 }
    const ask = { timeoutMs: 5_000, maxResponseBytes: 200_000 }

    beforeAll(async () => {
      line = await makeLine()
      ids = { a: await idOf(line.a), b: await idOf(line.b), c: await idOf(line.c) }
      await until('the line', async () => (await peersOf(line.b)).length === 2 && (await peersOf(line.a)).includes(ids.b) && (await peersOf(line.c)).includes(ids.b))
    })
    afterAll(async () => {
      await Promise.all([line.a.stop(), line.b.stop(), line.c.stop()])
      await line.close?.()
    })

    describe('topics', () => {
      it('carries accepted messages over the middle, naming who made and who handed them over', async () => {
        const b = await listen(line.b, 'accepted', () => 'accept')
        const c = await listen(line.c, 'accepted', () => 'accept')
        await publishUntil(line.a, 'accepted', 'x', () => starts(c.got, 'x'))
        expect(b.got[0]).toMatchObject({ topic: 'accepted', origin: ids.a, via: ids.a })
        expect(c.got[0]).toMatchObject({ topic: 'accepted', origin: ids.a, via: ids.b })
        b.stop()
        c.stop()
      })

      it('forwards only what was accepted, and only after', async () => {
        let release = (): void => {}
        const held = new Promise<void>(resolve => { release = resolve })
        const b = await listen(line.b, 'verdicts', async m => {
          if (words(m).startsWith('slow')) await held
          return words(m).startsWith('ignore') ? 'ignore' : words(m).startsWith('reject') ? 'reject' : 'accept'
        })
        const c = await listen(line.c, 'verdicts', () => 'accept')
        await publishUntil(line.a, 'verdicts', 'open', () => starts(c.got, 'open'))
        await line.a.publish('verdicts', text('ignore'))
        await line.a.publish('verdicts', text('reject'))
        await line.a.publish('verdicts', text('slow'))
        await until('the middle to see them', () => ['ignore', 'reject', 'slow'].every(w => starts(b.got, w)))
        await new Promise(resolve => setTimeout(resolve, 300))
        expect(c.got.map(words).filter(w => !w.startsWith('open'))).toEqual([])
        release()
        await until('the slow one to pass', () => starts(c.got, 'slow'))
        expect(starts(c.got, 'ignore') || starts(c.got, 'reject')).toBe(false)
        b.stop()
        c.stop()
      })

      it('passes on what is welcome, and knows who was the first to bring it', async () => {
        const isWelcome = (m: GossipMessage): boolean => words(m).startsWith('work')
        const b = await listen(line.b, 'welcome', m => isWelcome(m) ? 'welcome' : 'accept')
        const c = await listen(line.c, 'welcome', () => 'accept')
        const welcomeAt = async (of: string): Promise<number | undefined> => (await line.b.status()).peers.find(p => p.id === of)?.welcomeAt
        await publishUntil(line.a, 'welcome', 'talk', () => starts(c.got, 'talk'))
        expect(await welcomeAt(ids.a)).toBeUndefined()
        await publishUntil(line.a, 'welcome', 'work', () => starts(c.got, 'work'))
        expect(await welcomeAt(ids.a)).toBeGreaterThan(0)
        expect(await welcomeAt(ids.c)).toBeUndefined()
        b.stop()
        c.stop()
      })

      it('counts whom a message was sent to, and sends to nobody who does not follow', async () => {
        expect(await line.a.publish('nobody-follows', text('x'))).toBe(0)
        const b = await listen(line.b, 'counted', () => 'accept')
        let sent = 0
        await until('a recipient', async () => (sent = await line.a.publish('counted', text(`n${Math.random()}`))) > 0)
        expect(sent).toBe(1)
        b.stop()
      })

      it('stops at unsubscribe', async () => {
        const b = await listen(line.b, 'left', () => 'accept')
        await publishUntil(line.a, 'left', 'before', () => starts(b.got, 'before'))
        b.stop()
        const again = await listen(line.b, 'left', () => 'accept')
        again.stop()
        await new Promise(resolve => setTimeout(resolve, 200))
        await line.a.publish('left', text('after'))
        await new Promise(resolve => setTimeout(resolve, 200))
        expect(starts(b.got, 'after') || starts(again.got, 'after')).toBe(false)
      })

      it('one validator per topic', async () => {
        const stop = await line.b.subscribe('twice', async () => 'accept')
        await expect(line.b.subscribe('twice', async () => 'accept')).rejects.toThrow(/already/)
        stop()
      })

      it('throws on a message over the limit, and carries one at the limit', async () => {
        const b = await listen(line.b, 'size', () => 'accept')
        await publishUntil(line.a, 'size', 'small', () => starts(b.got, 'small'))
        await expect(line.a.publish('size', new Uint8Array(MAX_GOSSIP_BYTES + 1))).rejects.toThrow(/limit/)
        await line.a.publish('size', new Uint8Array(MAX_GOSSIP_BYTES))
        await until('the large one', () => b.got.some(m => m.bytes.length === MAX_GOSSIP_BYTES))
        b.stop()
      })

      it('leaves the bytes of a publisher alone', async () => {
        const bytes = text('mine')
        await line.a.publish('counted', bytes)
        expect(new TextDecoder().decode(bytes)).toBe('mine')
      })
    })

    describe('requests', () => {
      it('answers, with the asker\'s name, also with nothing', async () => {
        const stop = await line.b.handle('/t/echo', limits, async (peer, body) => body.length === 0 ? new Uint8Array() : text(`${peer}:${new TextDecoder().decode(body)}`))
        expect(new TextDecoder().decode(await line.a.request(ids.b, '/t/echo', text('hi'), ask))).toBe(`${ids.a}:hi`)
        expect(await line.c.request(ids.b, '/t/echo', new Uint8Array(), ask)).toEqual(new Uint8Array())
        stop()
      })

      it('carries an answer of many frames whole, and leaves the original usable', async () => {
        const big = new Uint8Array(200_000).map((_, i) => i % 251)
        const stop = await line.b.handle('/t/big', limits, async () => big)
        for (const _time of [1, 2]) expect(Buffer.compare(await line.a.request(ids.b, '/t/big', text('?'), ask), big)).toBe(0)
        stop()
      })

      it('refuses by name: no handler, the handler\'s refusal, no link', async () => {
        const stop = await line.b.handle('/t/no', limits, async () => { throw new RequestError('refused', 'not for you') })
        expect(await failure(line.a.request(ids.b, '/t/none', text('x'), ask))).toBe('refused')
        await expect(line.a.request(ids.b, '/t/no', text('x'), ask)).rejects.toThrow('not for you')
        expect(await failure(line.a.request(ids.b, '/t/no', text('x'), ask))).toBe('refused')
        expect(await failure(line.a.request(ids.c, '/t/no', text('x'), ask))).toBe('unreachable')
        stop()
        await until('the handler to be gone', async () => {
          try { await line.a.request(ids.b, '/t/no', text('x'), ask) } catch (e) { return (e as Error).message.includes('not served') }
          return false
        })
      })

      it('gives up in time', async () => {
        const stop = await line.b.handle('/t/never', limits, async () => new Promise<Uint8Array>(() => {}))
        const at = Date.now()
        expect(await failure(line.a.request(ids.b, '/t/never', text('x'), { ...ask, timeoutMs: 300 }))).toBe('timeout')
        expect(Date.now() - at).toBeLessThan(3_000)
        stop()
      })

      it('answers so many at once and says busy to the next', async () => {
        let release = (): void => {}
        const held = new Promise<void>(resolve => { release = resolve })
        let running = 0
        const stop = await line.b.handle('/t/slow', limits, async () => {
          running++
          await held
          return text('late')
        })
        const most = Array.from({ length: MAX_REQUESTS_PER_PEER }, async () => line.a.request(ids.b, '/t/slow', text('x'), ask))
        await until('as many as may to run', () => running === MAX_REQUESTS_PER_PEER)
        expect(await failure(line.a.request(ids.b, '/t/slow', text('x'), ask))).toBe('busy')
        const other = line.c.request(ids.b, '/t/slow', text('x'), ask)
        await until('another peer\'s to run', () => running === MAX_REQUESTS_PER_PEER + 1)
        release()
        expect((await Promise.all([...most, other])).map(r => new TextDecoder().decode(r))).toEqual(Array(MAX_REQUESTS_PER_PEER + 1).fill('late'))
        stop()
      })

      it('bounds the rate of one peer, not of all', async () => {
        const stop = await line.b.handle('/t/rate', { ...limits, perPeerPerSecond: 1 }, async () => text('ok'))
        const kinds: string[] = []
        for (let i = 0; i < 7; i++) kinds.push(await failure(line.a.request(ids.b, '/t/rate', text('x'), ask)))
        expect(kinds.slice(0, 4)).toEqual(Array(4).fill('answered'))
        expect(kinds).toContain('busy')
        expect(await failure(line.c.request(ids.b, '/t/rate', text('x'), ask))).toBe('answered')
        stop()
      })

      it('says too-large of requests, and makes the sender pay', async () => {
        const stop = await line.b.handle('/t/in', limits, async () => text('ok'))
        const before = (await line.b.status()).peers.find(p => p.id === ids.c)?.score ?? 0
        expect(await failure(line.c.request(ids.b, '/t/in', new Uint8Array(1000), ask))).toBe('answered')
        expect(await failure(line.c.request(ids.b, '/t/in', new Uint8Array(1001), ask))).toBe('too-large')
        await until('the score to fall', async () => ((await line.b.status()).peers.find(p => p.id === ids.c)?.score ?? 0) < before - 10)
        stop()
      })

      it('says too-large of answers, and makes the answerer pay, unless the bound was the word of another', async () => {
        const stop = await line.b.handle('/t/out', limits, async () => new Uint8Array(1001))
        const score = async (): Promise<number | undefined> => (await line.c.status()).peers.find(p => p.id === ids.b)?.score
        expect(await failure(line.c.request(ids.b, '/t/out', text('x'), { ...ask, maxResponseBytes: 1001 }))).toBe('answered')
        expect(await failure(line.c.request(ids.b, '/t/out', text('x'), { ...ask, maxResponseBytes: 1000, fairBytes: 1001 }))).toBe('too-large')
        expect(await failure(line.c.request(ids.b, '/t/out', text('x'), { ...ask, maxResponseBytes: 300, fairBytes: 1001 }))).toBe('too-large')
        expect(await score()).toBeGreaterThan(-10)
        expect(await failure(line.c.request(ids.b, '/t/out', text('x'), { ...ask, maxResponseBytes: 1000 }))).toBe('too-large')
        await until('the score to fall', async () => (await score() ?? 0) < -10)
        stop()
      })
    })

    describe('status', () => {
      it('names self, the peers and the bytes', async () => {
        const s = await line.b.status()
        expect(s.self).toBe(ids.b)
        expect(s.peers.map(p => p.id).sort()).toEqual([ids.a, ids.c].sort())
        expect(s.peers.every(p => p.connectedAt > 0)).toBe(true)
        expect(s.bytesIn).toBeGreaterThan(MAX_GOSSIP_BYTES)
        expect(s.bytesOut).toBeGreaterThan(200_000)
      })
    })

    // Last: they take the line apart.
    describe('blame', () => {
      it('a ban disconnects, keeps out, and says why', async () => {
        const seen: NetworkStatus[] = []
        const stop = await line.b.onStatus(s => { seen.push(s) })
        await line.b.ban(ids.c, 'told lies')
        await until('the link to end', async () => !(await peersOf(line.b)).includes(ids.c) && !(await peersOf(line.c)).includes(ids.b))
        expect((await line.b.status()).banned).toContainEqual({ id: ids.c, reason: 'told lies' })
        await until('the listener to hear', () => seen.some(s => s.banned.length === 1 && !s.peers.some(p => p.id === ids.c)))
        stop()
        expect(await failure(line.c.request(ids.b, '/t/echo', text('x'), ask))).toBe('unreachable')
        expect(await failure(line.b.request(ids.c, '/t/echo', text('x'), ask))).toBe('unreachable')
        await new Promise(resolve => setTimeout(resolve, 1_500))
        expect(await peersOf(line.b)).toEqual([ids.a])
      })

      it('rejects cost score and end in a disconnect', async () => {
        const b = await listen(line.b, 'bad', m => words(m).startsWith('bad') ? 'reject' : 'accept')
        await publishUntil(line.a, 'bad', 'good', () => starts(b.got, 'good'))
        const score = async (): Promise<number> => (await line.b.status()).peers.find(p => p.id === ids.a)?.score ?? Number.NEGATIVE_INFINITY
        const before = await score()
        await line.a.publish('bad', text('bad 1'))
        await until('the score to fall', async () => await score() < before - 5)
        for (let i = 2; (await peersOf(line.b)).includes(ids.a) && i < 8; i++) {
          await line.a.publish('bad', text(`bad ${i}`)).catch(() => {})
          await new Promise(resolve => setTimeout(resolve, 300))
        }
        await until('the disconnect', async () => !(await peersOf(line.b)).includes(ids.a) && !(await peersOf(line.a)).includes(ids.b))
        expect((await line.b.status()).banned).toContainEqual({ id: ids.a, reason: 'score' })
        b.stop()
      })

      it('says so once stopped', async () => {
        await line.c.stop()
        expect(await failure(line.c.request(ids.b, '/t/echo', text('x'), ask))).toBe('unreachable')
        await expect(line.c.publish('t', text('x'))).rejects.toThrow(/stopped/)
        await line.c.stop()
      })
    })
  })
}
