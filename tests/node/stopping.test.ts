/** A node that stops writes what it knows and closes its store, whatever part of it fails. */
import { expect, it } from 'vitest'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { MemorySwarmHub } from '../../src/net/swarm/memory.ts'
import { Node, type NodeDeps } from '../../src/node/node.ts'
import type { ComputeStatus } from '../../src/ports/compute.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { MemorySiblings } from '../../src/storage/memorySiblings.ts'
import { ChainKit } from '../core/chainKit.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'
import { SeededRandom, TestCompute } from './workRig.ts'

class Device extends TestCompute {
  override async status (): Promise<ComputeStatus> {
    return { backend: 'reference', workers: 1, workersMax: 1, busy: 0, stepsPerSecond: 0, macsPerSecond: 0, selfTest: 'passed', choice: 'auto', reports: [] }
  }
}

it('closes the store after a topic and a link that would not end, and says what failed', async () => {
  const kit = new ChainKit()
  const clock = new ManualClock(1)
  const hub = createMemoryHub({ clock })
  const network = hub.join('me')
  const { subscribe, stop } = network
  network.subscribe = async (topic, validator) => {
    await subscribe.call(network, topic, validator)
    return () => { throw new Error(`${topic} does not end`) }
  }
  network.stop = async () => {
    await stop.call(network)
    throw new Error('a link does not end')
  }
  const disk = new MemoryDisk()
  const storage = new MemoryStorage(disk)
  let closed = 0
  const close = storage.close.bind(storage)
  storage.close = async () => { closed++; await close() }
  const keystore: NodeDeps['keystore'] = { backedUp: false, export: async () => ({ ok: false, message: 'none' }), saved: async () => {}, replaced: async () => false, inspect: () => ({ ok: false, message: 'none' }), import: async () => ({ ok: false, field: 'backup', message: 'none' }) }
  const node = await Node.start({
    network, swarm: new MemorySwarmHub({ clock }).join('me'), networkName: 'test', storage, compute: new Device(clock), signatures: new TestSignatures(), clock, random: new SeededRandom(1),
    keystore, purse: new MemoryPurse(), siblings: new MemorySiblings(), minerSeed: hash('test-key', u32le(1)), walletSeed: hash('test-key', u32le(2)), slot: 0, cores: 1, gunzip: async b => b, params: kit.params, genesis: kit.genesis
  })
  await expect(node.stop()).rejects.toThrow('does not end')
  expect(closed).toBe(1)
})
