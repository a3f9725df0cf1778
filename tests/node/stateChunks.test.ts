/** What strangers may have a tab read of its states. */
import { expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { StateRequest } from '../../src/core/codec/wire.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { CHUNK_BYTES } from '../../src/core/params.ts'
import type { Network } from '../../src/ports/network.ts'
import { PEER_BYTES_AT_ONCE, STATE_PROTOCOL, StateChunks } from '../../src/node/stateChunks.ts'
import { JOB, place } from './fetchRig.ts'

const SIZE = PEER_BYTES_AT_ONCE / 2
const names = Array.from({ length: 10 }, (_, i) => hash('test-state', Uint8Array.of(i)))

async function serving () {
  const p = place()
  const read: string[] = []
  const held = new Map(names.map((name, i) => [toHex(name), i]))
  const chunks = new StateChunks({
    network: p.net, clock: p.clock, size: name => held.has(name) ? SIZE : undefined,
    read: async name => { read.push(name); return new Uint8Array(SIZE).fill(held.get(name)!) }
  })
  await chunks.start()
  const peers = new Map<string, Network>()
  /** Bytes of the answer, or why there is none. */
  const ask = async (id: string, stateHash: Uint8Array, offset: number): Promise<number | string> => {
    const net = peers.get(id) ?? p.hub.join(id)
    peers.set(id, net)
    const request = net.request('me', STATE_PROTOCOL, StateRequest.serialize({ job: JOB, stateHash, offset }), { timeoutMs: 1_000, maxResponseBytes: CHUNK_BYTES })
    return await p.during(20, request.then(bytes => bytes.length, (e: { readonly kind: string }) => e.kind))
  }
  return { ...p, read, ask }
}

test('a state is read once for all of its chunks, whoever reads them', async () => {
  const { ask, read } = await serving()
  for (let offset = 0; offset < SIZE; offset += CHUNK_BYTES) expect(await ask('a', names[0], offset)).toBe(CHUNK_BYTES)
  expect(await ask('b', names[0], SIZE - 5)).toBe(5)
  expect(read).toHaveLength(1)
  expect(await Promise.all(['a', 'b', 'c'].map(async id => await ask(id, names[1], 0)))).toEqual([CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES])
  expect(read).toHaveLength(2)
})

test('what is not held, and chunks behind the end, cost no look at the disk', async () => {
  const { ask, read } = await serving()
  for (const name of names) for (const offset of [SIZE, 2 ** 32 - 1]) expect(await ask('a', name, offset)).toBe(0)
  expect(await ask('a', hash('test-other'), 0)).toBe(0)
  expect(read).toEqual([])
})

test('one peer has two of the largest states read at once, and one more in four seconds; all together four times that', async () => {
  const { ask, clock, read } = await serving()
  const answers: Array<number | string> = []
  for (const name of names) answers.push(await ask('a', name, 0))
  expect(answers).toEqual([CHUNK_BYTES, CHUNK_BYTES, ...Array.from({ length: 8 }, () => 'busy')])
  // Another is not held up by him.
  expect(await ask('b', names[2], 0)).toBe(CHUNK_BYTES)
  await clock.advance(4_000)
  expect(await ask('a', names[3], 0)).toBe(CHUNK_BYTES)
  expect(await ask('a', names[4], 0)).toBe('busy')
  expect(read).toHaveLength(4)
})

test('many names have no more than all may have', async () => {
  const { ask, read } = await serving()
  const answers: Array<number | string> = []
  for (let i = 0; i < 12; i++) answers.push(await ask(`s${i}`, names[i % names.length], 0))
  expect(answers.filter(a => a !== 'busy')).toHaveLength(8)
  expect(read).toHaveLength(8)
})
