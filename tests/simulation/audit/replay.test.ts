/**
 * The auditor redoes the work of real nodes: two of them mine, seal and run a paid job to its end, and
 * all of it comes out the same from the documents; then one thing is forged at a time.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { encodeJobSpec } from '../../../src/core/codec/jobSpec.ts'
import { equalBytes, toHex } from '../../../src/core/codec/ssz.ts'
import { Block, type Claim, type SignedSeal, type Template } from '../../../src/core/codec/wire.ts'
import { assembleBlock } from '../../../src/core/consensus/assemble.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { ticketWins } from '../../../src/core/consensus/target.ts'
import { hash, u32le } from '../../../src/core/crypto/hash.ts'
import { bodyRoot, ticket } from '../../../src/core/crypto/ids.ts'
import { benchmarkJob, isEnded, type JobRecord } from '../../../src/core/ledger/state.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import type { Dataset } from '../../../src/core/training/dataset.ts'
import type { ModelState } from '../../../src/core/training/modelState.ts'
import { decodePayload, encodePayload, mergePayloads, payloadDigest } from '../../../src/core/training/payload.ts'
import { lr20At } from '../../../src/core/training/schedule.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import { referenceKernels } from '../../../src/compute/reference/referenceKernels.ts'
import { RENEW_BLOCKS } from '../../../src/node/duties.ts'
import { sliceTask } from '../../../src/node/replay.ts'
import { ChainKit, keyPair } from '../../core/chainKit.ts'
import { benchmarkData, smallData, workParams, workSpec, World, type WorkNode } from '../../node/workRig.ts'
import { Auditor } from './auditor.ts'
import type { Hex } from './bytes.ts'
import type { Supply } from './replay.ts'

// Whole nodes on one thread: seconds on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 })

const other = hash('test-other')
const paidData = smallData(120, 90, 1)
const recordsOf = (d: Dataset): { readonly features: Uint8Array, readonly labels: Uint8Array } => {
  const all = d.gather(Uint32Array.from({ length: d.records }, (_, i) => i))
  return { features: all.inputs, labels: all.labels }
}
const records = (root: Hex): ReturnType<typeof recordsOf> | undefined => {
  const data = [benchmarkData, paidData].find(d => toHex(d.ref.root) === root)
  return data === undefined ? undefined : recordsOf(data)
}
const kit = new ChainKit(workParams, { benchmark: workSpec })
const names = (found: ReadonlyArray<{ readonly name: string }>): string[] => found.map(v => v.name)
const newAuditor = (): Auditor => new Auditor(workParams, encodeJobSpec(workSpec))

let world: World
let node: WorkNode
const payloads = new Map<Hex, Uint8Array>()
let chain: Uint8Array[]

beforeAll(async () => {
  world = new World()
  const [a, b] = [await world.add('a', 1), await world.add('b', 2)]
  for (const n of [a, b]) {
    n.compute.bend = r => {
      payloads.set(toHex(r.payloadDigest), r.payload)
      return r
    }
    n.mine(true)
  }
  await a.data.add(paidData)
  await world.until('something to spend', () => a.chain.head().ledger.accounts.get(a.keys.key) !== undefined)
  a.transactions = [kit.post(a.chain.head(), a.keys, { spec: { ...workSpec, name: new TextEncoder().encode('paid'), schedule: 1, rounds: 3, data: paidData.ref }, escrow: 10_000_000n, price: 1_000n, burn: 1_000n })]
  await world.until('a paid job is over', () => a.chain.head().ledger.jobs[1] !== undefined && isEnded(a.chain.head().ledger.jobs[1]), 300_000)
  for (const n of [a, b]) n.mine(false)
  await world.until('one tip', () => equalBytes(a.chain.head().hash, b.chain.head().hash))
  node = a
  chain = Array.from({ length: a.chain.head().height }, (_, i) => {
    const { meta, body } = a.chain.at(i + 1)!
    return Block.serialize({ header: meta.header, body })
  })
})
afterAll(async () => { await world.stop() })

function audited (): Auditor {
  const auditor = newAuditor()
  for (const bytes of chain) expect(auditor.add(bytes).violations).toEqual([])
  return auditor
}

describe('a chain of real work', () => {
  it('comes out the same from nothing but blocks and records', () => {
    const auditor = audited()
    let slices = 0
    for (const id of auditor.chain(toHex(node.chain.head().hash))) {
      const replayed = auditor.replay(id, { records })
      expect(replayed).toMatchObject({ violations: [], unchecked: [] })
      slices += replayed.slices
      expect(auditor.replay(id, { records }).slices).toBe(0)
    }
    expect(slices).toBeGreaterThan(chain.length)
    // Nobody counts slices anew, but in a round that stays unsealed.
    for (const { claims } of auditor.workedTwice(toHex(node.chain.head().hash))) {
      claims.slice(1).forEach((c, i) => { expect(c.height - claims[i].height).toBeGreaterThanOrEqual(RENEW_BLOCKS) })
    }
    const rewards = auditor.rewards(toHex(node.chain.head().hash))
    expect([...rewards.values()].reduce((sum, r) => sum + r.contributions, 0)).toBeGreaterThan(5)
    expect([...rewards.values()].some(r => r.credited.contribution > 0n)).toBe(true)
  })

  it('needs only the slices of blocks where the payloads are at hand', () => {
    const auditor = audited()
    const supply: Supply = { records, payload: digest => payloads.get(digest), contributions: false }
    const replays = auditor.chain(toHex(node.chain.head().hash)).map(id => auditor.replay(id, supply))
    expect(replays.map(r => [r.violations, r.unchecked, r.slices])).toEqual(chain.map(() => [[], [], 1]))
  })

  it('says what it could not check', () => {
    const auditor = audited()
    const replayed = auditor.replay(auditor.chain(toHex(node.chain.head().hash))[0], { records: () => undefined })
    expect(replayed.violations).toEqual([])
    expect(replayed.unchecked).toEqual([expect.stringContaining('are not to be had')])
  })

  it('takes what a stand-in gives for a slice, without records', () => {
    const auditor = audited()
    const first = auditor.chain(toHex(node.chain.head().hash))[0]
    const { slices, unchecked, violations } = auditor.replay(first, { records: () => undefined, standIn: after => ({ after, resultHash: other }) })
    expect([slices, unchecked, names(violations)]).toEqual([1, [], ['result-hash', 'payload-digest']])
  })

  it('leaves out the contributions that it is told to', () => {
    const auditor = audited()
    const asked: Hex[] = []
    for (const id of auditor.chain(toHex(node.chain.head().hash))) {
      const supply: Supply = { records: () => undefined, payload: digest => payloads.get(digest), contributions: c => { asked.push(c); return false } }
      // Only its own slice is missing.
      expect(auditor.replay(id, supply).unchecked).toHaveLength(1)
    }
    expect(new Set(asked)).toEqual(auditor.sealed(toHex(node.chain.head().hash)))
    expect(asked.length).toBeGreaterThan(5)
  })

  it('refuses records that are not those of the job', () => {
    const auditor = audited()
    expect(() => auditor.replay(auditor.chain(toHex(node.chain.head().hash))[0], { records: () => recordsOf(paidData) })).toThrow('not those of')
  })
})

interface Forgery {
  /** Of the contribution that the block seals. */
  readonly contribution?: (c: Claim) => Partial<Claim>
  readonly sealStateHash?: Uint8Array
  readonly header?: (c: Claim) => Partial<Claim>
  readonly supply?: Partial<Supply>
}

/** A block on the nodes' tip with one sealed contribution, all true but for what is forged. */
async function forge (o: Forgery): Promise<string[]> {
  const tip: BlockMeta = node.chain.head()
  const job: JobRecord = benchmarkJob(tip.ledger)
  const state = (await node.states.state(job.id, job.round, job.stateHash))!
  const run = (template: Template, slice: number, from: ModelState): { readonly claim: Claim, readonly payload: Uint8Array } => {
    const after = referenceKernels.runSlice(sliceTask(job.spec, template, slice, from, benchmarkData))
    const payload = encodePayload(from, after)
    return { payload, claim: { template, slice, resultHash: stateHash(after), payloadDigest: payloadDigest(payload), payloadBytes: payload.length, signature: new Uint8Array(64) } }
  }
  const done = run(kit.contribution(tip, job, keyPair(1)).template, 0, state)
  const claim = kit.signClaim({ ...done.claim, ...o.contribution?.(done.claim) }, keyPair(1))
  const change = decodePayload(job.spec, lr20At(job.spec, job.round), done.payload)
  if (!change.ok) throw new Error(change.error.detail)
  const next = mergePayloads(state, [change.value])
  const seal: SignedSeal = kit.seal(tip, job, [claim], { over: { stateHash: o.sealStateHash ?? stateHash(next) } })
  const made = assembleBlock(workParams, tip, { transactions: [], seals: [seal], miner: keyPair(1).key, payee: keyPair(1).key, timeMs: tip.header.template.time + workParams.blockIntervalMs })
  expect(equalBytes(made.template.bodyRoot, bodyRoot(made.body))).toBe(true)
  for (let slice = 0; slice < 200; slice++) {
    const honest = run(made.template, slice, next).claim
    const header = { ...honest, ...o.header?.(honest) }
    if (!ticketWins(made.template.target, sliceCost(job.spec), ticket(header))) continue
    const auditor = audited()
    const { id, violations } = auditor.add(Block.serialize({ header: kit.signClaim(header, keyPair(1)), body: made.body }))
    expect(violations).toEqual([])
    return names(auditor.replay(id, { records, payload: digest => payloads.get(digest), ...o.supply }).violations)
  }
  throw new Error('no slice wins')
}

describe('forged work', () => {
  // Not even the state behind it need be true: the header says what it says, and others redo it.
  it.each<[string, Forgery, string[]]>([
    ['nothing, so nothing is found', {}, []],
    ['result-hash', { header: c => ({ resultHash: hash('test-other', u32le(c.slice)) }) }, ['result-hash']],
    ['payload-digest', { header: c => ({ payloadDigest: hash('test-other', u32le(c.slice)) }) }, ['payload-digest']],
    ['contribution-wrong', { contribution: () => ({ resultHash: other }) }, ['contribution-wrong']],
    ['seal-state-hash', { sealStateHash: other }, ['seal-state-hash']],
    ['seal-payload', { contribution: c => ({ payloadDigest: payloadDigest(new Uint8Array(c.payloadBytes).fill(128)) }), supply: { contributions: false, payload: () => new Uint8Array(kit.contribution(node.chain.head(), benchmarkJob(node.chain.head().ledger), keyPair(1)).payloadBytes).fill(128) } }, ['seal-payload']]
  ])('%s', async (_, forgery, expected) => { expect(await forge(forgery)).toEqual(expected) })
})
