/**
 * Whole worlds of working nodes on the twins: real chain, rules, kernels and mesh in memory, virtual
 * time. Blocks are handed from node to node; everything about work travels as it does for real.
 */
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import type { Block, Claim, SignedTransaction, WorkMessage } from '../../src/core/codec/wire.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { sign } from '../../src/core/crypto/keys.ts'
import { assembleBlock } from '../../src/core/consensus/assemble.ts'
import { genesis, type BlockMeta } from '../../src/core/consensus/chain.ts'
import { tryTransactions } from '../../src/core/consensus/transaction.ts'
import { type ChainParams, targetForWork, TEST } from '../../src/core/params.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { type Dataset, newDataset } from '../../src/core/training/dataset.ts'
import { encodePayload, payloadDigest } from '../../src/core/training/payload.ts'
import { stateHash } from '../../src/core/training/stateHash.ts'
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import { evaluationOf } from '../../src/compute/evaluation.ts'
import { referenceKernels } from '../../src/compute/reference/referenceKernels.ts'
import { createMemoryHub, type MemoryHub } from '../../src/net/memory.ts'
import { Chain } from '../../src/node/chain.ts'
import { Challenges } from '../../src/node/challenges.ts'
import { Contributions } from '../../src/node/contributions.ts'
import { Curve } from '../../src/node/curve.ts'
import { Datasets } from '../../src/node/datasets.ts'
import { RingLog } from '../../src/node/log.ts'
import type { MinerKey } from '../../src/node/minerKey.ts'
import { Payloads } from '../../src/node/payloads.ts'
import { ChainStore, ledgerLookBack } from '../../src/node/persist.ts'
import { Records } from '../../src/node/records.ts'
import { Refusals } from '../../src/node/refusals.ts'
import { Replays, sliceTask } from '../../src/node/replay.ts'
import { Rounds } from '../../src/node/rounds.ts'
import { Sealing } from '../../src/node/sealing.ts'
import { SliceCounter } from '../../src/node/sliceCounter.ts'
import { States } from '../../src/node/states.ts'
import { Supervisor } from '../../src/node/supervisor.ts'
import type { TorrentService } from '../../src/node/torrentFetch.ts'
import { Trainer } from '../../src/node/trainer.ts'
import { Verifier } from '../../src/node/verify.ts'
import { workHandlers } from '../../src/node/workHandlers.ts'
import { type From, workTopic, WorkTopics } from '../../src/node/workTopics.ts'
import type { Clock, Random } from '../../src/ports/clock.ts'
import type { Compute, SliceResult, SliceTask } from '../../src/ports/compute.ts'
import type { Network, PeerId, Verdict } from '../../src/ports/network.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { type KeyPair, keyPair, tinySpec } from '../core/chainKit.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'
import { mlp } from '../../src/core/training/shape.ts'

export const SLICE_MS = 200
const START_MS = 1_700_000_000_000

/** Records a test can be quick with: three clusters, by default in eight dimensions. */
export function smallData (records = 96, trainRecords = 72, salt = 0, size = 8): Dataset {
  const labels = Uint8Array.from({ length: records }, (_, i) => i % 3)
  const features = new Uint8Array(records * size)
  for (let i = 0; i < records; i++) {
    const noise = hash('test-record', u32le(i), u32le(salt))
    for (let k = 0; k < size; k++) features[i * size + k] = (labels[i] === k % 3 ? 160 : 20) + noise[k % 32] % 64
  }
  return newDataset({ features, labels, trainRecords, classes: 3 })
}

export const benchmarkData = smallData()

export const workSpec: JobSpec = { ...tinySpec, ...mlp([8, 6, 3]), batch: 16, stepsPerSlice: 4, seed: hash('test-work'), rounds: 1000, data: benchmarkData.ref }

/** The test network, with targets that fit slices of SLICE_MS and jobs as small as the rig trains. */
export const workParams: ChainParams = {
  ...TEST,
  name: 'work',
  genesisTarget: targetForWork(BigInt(sliceCost(workSpec)) * 6n),
  maxTarget: targetForWork(BigInt(sliceCost(workSpec))),
  minSliceCost: sliceCost(workSpec)
}

export class SeededRandom implements Random {
  #count = 0
  readonly #seed: number
  constructor (seed: number) { this.#seed = seed }
  bytes (n: number): Uint8Array {
    const out = new Uint8Array(n)
    for (let at = 0; at < n; at += 32) out.set(hash('test-random', u32le(this.#seed), u32le(this.#count++)).subarray(0, Math.min(32, n - at)), at)
    return out
  }
}

/** Reference kernels that take virtual time; a test may bend what comes out. */
export class TestCompute implements Compute {
  readonly #clock: Clock
  slices: SliceTask[] = []
  replays = 0
  /** What a cheating node reports instead. */
  bend: ((r: SliceResult, task: SliceTask) => SliceResult) | undefined

  constructor (clock: Clock) { this.#clock = clock }

  async runSlice (task: SliceTask, priority: 'replay' | 'slice' | 'background'): Promise<SliceResult> {
    const state = referenceKernels.runSlice(task)
    const payload = encodePayload(task.state, state)
    const result: SliceResult = { stateHash: stateHash(state), state, payload, payloadDigest: payloadDigest(payload), macs: 0, elapsedMs: SLICE_MS }
    await new Promise<void>(resolve => { this.#clock.after(priority === 'slice' ? SLICE_MS : SLICE_MS / 4, resolve) })
    if (priority === 'slice') this.slices.push(task)
    else this.replays++
    return priority === 'slice' && this.bend !== undefined ? this.bend(result, task) : result
  }

  async evaluate (task: Parameters<Compute['evaluate']>[0]): ReturnType<Compute['evaluate']> {
    return evaluationOf(referenceKernels.score(task), task.labels, task.spec.data.classes)
  }

  async predict (): ReturnType<Compute['predict']> { throw new Error('not used here') }
  async stateHash (state: Parameters<Compute['stateHash']>[0]): Promise<Uint8Array> { return stateHash(state) }
  async status (): ReturnType<Compute['status']> { throw new Error('not used here') }
  async ready (): Promise<void> { /* As many at a time as are asked for. */ }
  async setLimits (): Promise<void> { /* One lane per configure(). */ }
  async setBackend (): Promise<void> { /* The reference alone. */ }
  async stop (): Promise<void> { /* Nothing runs on its own. */ }
}

/** Real checks, but each signature once for the whole world. */
class SharedSignatures extends TestSignatures {
  static readonly #known = new Map<string, boolean>()
  override async verify (items: Parameters<TestSignatures['verify']>[0]): Promise<boolean[]> {
    const answers: boolean[] = []
    for (const item of items) {
      const name = toHex(hash('test-signature', item.key, item.message, item.signature))
      const known = SharedSignatures.#known.get(name) ?? (await super.verify([item]))[0]
      SharedSignatures.#known.set(name, known)
      answers.push(known)
    }
    return answers
  }
}

export const minerKey = (pair: KeyPair): MinerKey => ({ publicKey: pair.key, sign: message => sign(pair.seed, message) })

/** A node without a library: everything goes over the streams. */
export const noTorrents: TorrentService = { started: Promise.resolve(), share: () => {}, onAsked: () => {}, keepGroups: async () => {}, fetch: async () => undefined }

export interface NodeOptions {
  readonly disk?: MemoryDisk
  readonly auditShare?: number
  readonly payloadBytesMax?: number
  /** Takes no part in committees. */
  readonly asleep?: boolean
}

export class WorkNode {
  readonly id: PeerId
  readonly keys: KeyPair
  readonly net: Network
  readonly disk: MemoryDisk
  readonly log: RingLog
  readonly blame: Refusals
  readonly chain: Chain
  readonly compute: TestCompute
  readonly payloads: Payloads
  readonly states: States
  readonly data: Datasets
  readonly replays: Replays
  readonly rounds: Rounds
  readonly contributions: Contributions
  readonly records: Records
  readonly sealing: Sealing
  readonly challenges: Challenges
  readonly supervisor: Supervisor
  readonly topics: WorkTopics
  readonly trainer: Trainer
  readonly curve: Curve
  readonly slices: SliceCounter
  /** Blocks this node made, told to the world. */
  onBlock: (block: Block) => void = () => {}
  awake: boolean
  /** What its miner offers to blocks. */
  transactions: SignedTransaction[] = []
  /** Blocks it would rather not make. */
  withholds: (block: Block) => boolean = () => false

  constructor (world: World, id: PeerId, n: number, o: NodeOptions = {}) {
    const { clock, hub } = world
    const params = world.params
    const base = world.genesis
    this.id = id
    this.keys = keyPair(n)
    this.net = hub.join(id)
    this.disk = o.disk ?? new MemoryDisk()
    this.awake = o.asleep !== true
    const storage = new MemoryStorage(this.disk)
    const key = minerKey(this.keys)
    const random = new SeededRandom(n)
    const signatures = new SharedSignatures()
    const log = this.log = new RingLog(clock)
    log.setLevel('debug')
    const network = this.net
    const blame = this.blame = new Refusals({ clock, network, log })
    const store = new ChainStore({ storage, clock, log, lookBack: ledgerLookBack(params), empty: base.ledger })
    const chain = this.chain = new Chain({ params, genesis: base, clock, store, log, blame })
    const compute = this.compute = new TestCompute(clock)
    const payloads = this.payloads = new Payloads({ storage, network, clock, random, blame, log, height: () => chain.head().height, historyBlocks: params.historyBlocks, diskBytesMax: o.payloadBytesMax })
    const states = this.states = new States({ storage, network, compute, payloads, chain, clock, random, blame, log, historyBlocks: params.historyBlocks, torrents: noTorrents, synced: () => true })
    const data = this.data = new Datasets({ storage, network, chain, clock, random, blame, log, torrents: noTorrents })
    const replay = this.replays = new Replays({ compute, states, data, log })
    chain.start(new Verifier({ params, clock, signatures, replay, states }))
    const rounds = this.rounds = new Rounds({ params, chain, states, signatures, blame, clock, log })
    const publisher = this.topics = new WorkTopics({ chainId: base.hash, network, chain, blame, clock, log })
    const contributions = this.contributions = new Contributions({ params, chain, rounds, payloads, signatures, blame, clock, log })
    const records = this.records = new Records(params, chain)
    const sealing = this.sealing = new Sealing({ params, key, chain, rounds, contributions, records, states, data, signatures, publisher, ready: () => true, blame, clock, log })
    this.challenges = new Challenges({ params, key, chain, rounds, contributions, replay, publisher, blame, random, clock, log, auditShare: o.auditShare })
    this.supervisor = new Supervisor({
      params, key, chain, rounds, contributions, records, sealing, replay, publisher, clock, log,
      onWrong: async (c, detail) => { await this.challenges.wrongUnsealed(c, detail) },
      ready: () => this.awake
    })
    this.slices = new SliceCounter(storage, log, key.publicKey)
    this.trainer = new Trainer({
      params, key, payee: () => key.publicKey, chain, pool: { select: parent => tryTransactions(params, parent, this.transactions, 100_000) }, rounds, states, data, payloads, contributions,
      replays: replay, slices: this.slices, compute, publisher, clock, log,
      gate: () => undefined,
      submitOwn: async block => {
        if (this.withholds(block)) return { status: 'known' }
        const r = await chain.submitOwn(block)
        if (r.status === 'added') this.onBlock(block)
        return r
      }
    })
    this.curve = new Curve({ rounds, states, data, compute, storage, clock, log, everyMs: 1_000 })
  }

  async start (): Promise<void> {
    await this.payloads.start()
    await this.states.start()
    await this.data.start()
    await this.data.add(benchmarkData)
    await this.slices.start()
    this.rounds.start()
    this.contributions.start()
    this.sealing.start()
    this.challenges.start()
    this.supervisor.start()
    this.trainer.start()
    await this.topics.start(workHandlers(this))
    await this.curve.start()
  }

  async stop (): Promise<void> {
    this.trainer.stop()
    this.supervisor.stop()
    this.challenges.stop()
    this.sealing.stop()
    this.contributions.stop()
    this.rounds.stop()
    await this.curve.stop()
    await this.topics.stop()
    this.data.stop()
    this.payloads.stop()
    await this.states.stop()
    await this.net.stop()
  }

  mine (on: boolean): void { this.trainer.configure({ on, workers: 1 }) }

  get benchmark (): Uint8Array { return this.chain.head().ledger.jobs[0].id }
  get round (): number { return this.rounds.tip(this.benchmark)!.round }
  get sealedRound (): number { return this.chain.head().ledger.jobs[0].round }

  /** Names of the refusals, newest last. */
  refusals (): string[] { return this.blame.list().map(r => r.reason).reverse() }
  errors (): string[] { return this.log.entries(5000).filter(e => e.level === 'error').map(e => e.text) }
}

export class World {
  readonly clock = new ManualClock(START_MS)
  readonly hub: MemoryHub
  readonly params: ChainParams
  readonly genesis: BlockMeta
  readonly nodes: WorkNode[] = []

  constructor (params: ChainParams = workParams, spec: JobSpec = workSpec) {
    this.params = params
    this.genesis = genesis(params, spec)
    this.hub = createMemoryHub({ clock: this.clock, latencyMs: 5 })
  }

  /** A node that the others hand their blocks to, and it to them. */
  async add (id: PeerId, n: number, o: NodeOptions = {}): Promise<WorkNode> {
    const node = new WorkNode(this, id, n, o)
    node.onBlock = block => { this.carry(node, block) }
    this.nodes.push(node)
    await node.start()
    return node
  }

  async remove (node: WorkNode): Promise<void> {
    this.nodes.splice(this.nodes.indexOf(node), 1)
    await node.stop()
  }

  carry (from: WorkNode, block: Block): void {
    for (const to of this.nodes) if (to !== from) this.clock.after(10, () => { void to.chain.submit(block, from.id, from.id) })
  }

  /** Gives a late node the main chain of another. */
  async catchUp (to: WorkNode, from: WorkNode): Promise<void> {
    for (let h = 1; h <= from.chain.head().height; h++) {
      const r = from.chain.at(h)!
      const done = to.chain.submitAs({ header: r.meta.header, body: r.body }, { mode: 'ledger', via: from.id })
      await this.run(5)
      await done
      // Nothing that comes alone is taken above blocks that nobody redid.
      to.chain.markReplayed(r.meta.hash)
    }
  }

  async run (ms: number): Promise<void> { await this.clock.advance(ms) }

  async until (what: string, test: () => boolean, maxMs = 120_000): Promise<void> {
    for (let t = 0; t < maxMs; t += 100) {
      if (test()) return
      await this.run(100)
    }
    const state = this.nodes.map(n => `${n.id}: height ${n.chain.head().height}, sealed ${n.sealedRound}, round ${n.round}, pending ${n.contributions.pending(n.benchmark).length}, ${n.refusals().slice(-3).join(' | ')}`).join('\n')
    throw new Error(`not within ${maxMs} virtual ms: ${what}\n${state}`)
  }

  async stop (): Promise<void> {
    const stopping = this.nodes.splice(0).map(async n => { await n.stop() })
    await this.run(1_000)
    await Promise.all(stopping)
  }
}

/** What an honest miner with this key would claim on the node's tip; `over` changes it before it is signed. */
export async function claimOn (node: WorkNode, params: ChainParams, miner: KeyPair, slice: number, over: (c: Claim) => Partial<Claim> = () => ({})): Promise<{ readonly claim: Claim, readonly payload: Uint8Array }> {
  const head = node.chain.head()
  const tip = node.rounds.tip(node.benchmark)!
  const made = assembleBlock(params, head, { transactions: [], seals: tip.pending, miner: miner.key, payee: miner.key, timeMs: START_MS })
  const state = (await node.states.state(tip.job.id, tip.round, tip.stateHash))!
  const result = referenceKernels.runSlice(sliceTask(tip.spec, made.template, slice, state, benchmarkData))
  const payload = encodePayload(state, result)
  const honest: Claim = { template: made.template, slice, resultHash: stateHash(result), payloadDigest: payloadDigest(payload), payloadBytes: payload.length, signature: new Uint8Array(64) }
  const unsigned = { ...honest, ...over(honest) }
  return { claim: { ...unsigned, signature: sign(miner.seed, claimId(unsigned)) }, payload }
}

/** A bare peer: says what a test wants said, and serves what a test wants served. */
export class Stranger {
  readonly net: Network
  readonly heard: WorkMessage[] = []
  constructor (world: World, readonly id: PeerId) { this.net = world.hub.join(id) }

  async serve (protocol: string, answer: (body: Uint8Array) => Uint8Array): Promise<void> {
    await this.net.handle(protocol, { maxRequestBytes: 1024, maxResponseBytes: 1 << 21, perPeerPerSecond: 100 }, async (_, body) => answer(body))
  }

  async say (world: World, job: Uint8Array, bytes: Uint8Array): Promise<number> {
    return await this.net.publish(workTopic(world.genesis.hash, job), bytes)
  }
}

export const from = (id: PeerId): From => ({ origin: id, via: id })
export const verdictOf = async (p: Promise<{ verdict: Verdict }>): Promise<Verdict> => (await p).verdict
export const nameOf = (claim: Claim): string => toHex(claimId(claim))
export const sameState = (nodes: readonly WorkNode[]): boolean => {
  const [first, ...rest] = nodes.map(n => n.rounds.tip(n.benchmark)!)
  return rest.every(t => t.round === first.round && equalBytes(t.stateHash, first.stateHash))
}
