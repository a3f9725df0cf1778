/** The topics of jobs: one for each, whatever ids a poster finds by trying, and none that holds up the others. */
import { expect, it } from 'vitest'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import type { JobRecord } from '../../src/core/ledger/state.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { RingLog } from '../../src/node/log.ts'
import { workTopic, WorkTopics } from '../../src/node/workTopics.ts'
import type { Network } from '../../src/ports/network.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { ManualClock, settle } from './chainRig.ts'

const kit = new ChainKit()
const grown = kit.grown()
const posted = kit.mine(grown, { transactions: [0, 1, 2].map(nonce => kit.post(grown, keyPair(1), { nonce })) }).meta
const [benchmark, first, second, third] = posted.ledger.jobs
const withJobs = (...jobs: JobRecord[]): BlockMeta => ({ ...posted, ledger: { ...posted.ledger, jobs } })
const topicOf = (job: JobRecord): string => workTopic(kit.genesis.hash, job.id)

/** `refused`: a topic that the network does not take. */
function make (tip: BlockMeta, refused?: string): { readonly topics: WorkTopics, readonly log: RingLog, readonly followed: Set<string>, refused: string | undefined, move: (to: BlockMeta) => Promise<void> } {
  const clock = new ManualClock(1)
  const log = new RingLog(clock)
  const real = createMemoryHub({ clock }).join('me')
  const followed = new Set<string>()
  let head = tip
  let moved = (): void => {}
  const network: Pick<Network, 'publish' | 'subscribe'> = {
    publish: async (topic, bytes) => await real.publish(topic, bytes),
    subscribe: async (topic, validator) => {
      if (topic === made.refused) throw new Error('no room')
      const off = await real.subscribe(topic, validator)
      followed.add(topic)
      return () => { off(); followed.delete(topic) }
    }
  }
  const chain = { head: () => head, on: (_: string, listener: () => void) => { moved = listener; return () => {} } }
  const topics = new WorkTopics({ chainId: kit.genesis.hash, network, chain: chain as never, blame: { refuse: () => {} }, clock, log })
  const made = { topics, log, followed, refused, move: async (to: BlockMeta) => { head = to; moved(); await settle() } }
  return made
}

it('two jobs whose ids begin alike have a topic each: 2^32 tries of a seed make such a pair', async () => {
  const alike = { ...second, id: Uint8Array.from([...first.id.subarray(0, 31), first.id[31] ^ 1]) }
  const { topics, followed } = make(withJobs(benchmark, first, alike))
  await topics.start({} as never)
  expect([...followed].sort()).toEqual([benchmark, first, alike].map(topicOf).sort())
  await topics.stop()
  expect(followed.size).toBe(0)
})

it('a job that cannot be followed is named, holds up no other, and is tried again', async () => {
  const on = withJobs(benchmark, first, second, third)
  const t = make(on, topicOf(first))
  await t.topics.start({} as never)
  expect([...t.followed]).toEqual([benchmark, second, third].map(topicOf))
  expect(t.log.entries(1)[0]).toMatchObject({ level: 'error', text: expect.stringContaining('cannot be followed: no room') })
  await t.move(withJobs(benchmark, first, second))
  expect([...t.followed]).toEqual([benchmark, second].map(topicOf))
  t.refused = undefined
  await t.move(on)
  expect([...t.followed].sort()).toEqual([benchmark, first, second, third].map(topicOf).sort())
  await t.topics.stop()
  expect(t.followed.size).toBe(0)
})

it('stops in order though a job could not be followed', async () => {
  const { topics, followed } = make(withJobs(benchmark, first), topicOf(benchmark))
  await topics.start({} as never)
  await topics.stop()
  expect(followed.size).toBe(0)
})
