import '../../src/net/polyfill.ts'
import type { Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { describe, expect, it } from 'vitest'
import { FrameTooLarge, readFrame, writeFrame } from '../../src/net/frames.ts'

const soon = (ms = 2_000): AbortSignal => AbortSignal.timeout(ms)
const pair = async (): Promise<[Stream, Stream]> => await streamPair() as [Stream, Stream]
const le = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer)

describe('frames', () => {
  it('carry any size up to the limit', async () => {
    for (const size of [0, 1, 65_532, 65_536, 65_537, 300_000]) {
      const [a, b] = await pair()
      const frame = new Uint8Array(size).map((_, i) => i % 253)
      const read = readFrame(b, size, soon())
      await writeFrame(a, frame, soon())
      expect(Buffer.compare(await read, frame), String(size)).toBe(0)
    }
  })

  it('survive any split', async () => {
    const [a, b] = await pair()
    const read = readFrame(b, 100, soon())
    for (const byte of [...le(5), 1, 2, 3, 4, 5]) {
      a.send(Uint8Array.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
    expect([...await read]).toEqual([1, 2, 3, 4, 5])
  })

  it('name their size before a byte over the limit is kept, and discard what follows', async () => {
    const [a, b] = await pair()
    const read = readFrame(b, 100, soon())
    a.send(le(4_000_000_000))
    await expect(read).rejects.toThrow(FrameTooLarge)
    for (let i = 0; i < 100; i++) a.send(new Uint8Array(65_536))
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(b.status).toBe('open')
    expect(b.readBufferLength).toBe(0)
  })

  it('fail when the stream ends within one, or takes too long', async () => {
    const [a, b] = await pair()
    const cut = readFrame(b, 100, soon())
    a.send(le(10))
    a.send(Uint8Array.of(1))
    await a.close()
    await expect(cut).rejects.toThrow('ended within')
    const [c, d] = await pair()
    const reset = readFrame(d, 100, soon())
    c.abort(new Error('gone'))
    await expect(reset).rejects.toThrow('ended within')
    const [e, f] = await pair()
    const slow = readFrame(f, 100, soon(50))
    e.send(le(10))
    await expect(slow).rejects.toThrow('too slow')
  })
})
