/**
 * A long chain with a large ledger, on the disk of a node that has followed it from the start: for
 * measuring how long it takes to join it. The rules are those of the network; only the newest blocks,
 * which a joiner redoes, hold work that was done, as replays of older ones are nobody's any more.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInlineCompute } from '../../src/compute/inline.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { ACTION_TRANSFER, Body, type Claim, type SignedTransaction, type Template } from '../../src/core/codec/wire.ts'
import { assembleBlock } from '../../src/core/consensus/assemble.ts'
import { type BlockMeta, chainId, genesis } from '../../src/core/consensus/chain.ts'
import { extendHeader } from '../../src/core/consensus/header.ts'
import { ticketWins } from '../../src/core/consensus/target.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { claimId, templateHash, ticket, transactionId } from '../../src/core/crypto/ids.ts'
import { account } from '../../src/core/ledger/state.ts'
import { type ChainParams } from '../../src/core/params.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { builtinDataset } from '../../src/core/training/dataset.ts'
import { initialState } from '../../src/core/training/init.ts'
import { payloadSize } from '../../src/core/training/payload.ts'
import { ChainStore, ledgerLookBack } from '../../src/node/persist.ts'
import { sliceTask } from '../../src/node/replay.ts'
import { treeNode } from '../../src/node/tree.ts'
import { STORES, type StorageOp } from '../../src/ports/storage.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { nativeKeyOf } from '../simulation/remember.ts'

export interface LongChain {
  readonly params: ChainParams
  readonly blocks: number
  /** New accounts per block. */
  readonly transfersPerBlock: number
  /** Newest blocks whose slices are done; as many as a node keeps states for, and some, unless said otherwise. */
  readonly worked?: number
  /** When its last block was made, Unix time in ms. */
  readonly nowMs: number
}

const WORKED_BLOCKS = 128
/** Written at once. */
const COMMIT_BLOCKS = 64
/** Intervals of the network from block to block: so slow that every slice wins in the end. */
const INTERVALS = 4
const MINERS = 6

const seedOf = (n: number): Uint8Array => hash('bench-key', u32le(n))

/** Makes the chain on an empty disk. `say` hears how far it is. */
export async function makeLongChain (o: LongChain, disk: MemoryDisk, say: (text: string) => void): Promise<BlockMeta> {
  const { params, blocks, transfersPerBlock } = o
  const first = genesis(params)
  const storage = new MemoryStorage(disk)
  const quiet = { debug () {}, info () {}, warn () {}, error (_: string, text: string) { throw new Error(text) } }
  const store = new ChainStore({ storage, clock: { after: () => () => {} }, log: quiet, lookBack: ledgerLookBack(params), empty: first.ledger })
  const compute = await createInlineCompute('wasm')
  const data = builtinDataset()
  const keys = Array.from({ length: MINERS }, (_, i) => nativeKeyOf(seedOf(i)))
  const [payer] = keys
  let tip = first
  let accounts = 0
  const start = o.nowMs - blocks * INTERVALS * params.blockIntervalMs
  let waiting: Array<{ readonly meta: BlockMeta, readonly body: Body }> = []
  const flush = async (): Promise<void> => {
    store.putHeaders(waiting.map(w => w.meta), 'replayed')
    await storage.commit(waiting.map(({ meta, body }): StorageOp => ({ op: 'put', store: 'bodies', key: bodyKey(meta), value: Body.serialize(body) })))
    await store.idle()
    waiting = []
  }
  for (let h = 1; h <= blocks; h++) {
    const miner = keys[h % MINERS]
    const rich = account(tip.ledger, payer.publicKey)
    const transactions: SignedTransaction[] = []
    const each = 1_000n + params.minFee
    for (let i = 0; i < transfersPerBlock && rich.balance >= each * BigInt(i + 1); i++) {
      const transaction = { chain: chainId(tip), from: payer.publicKey, nonce: rich.nonce + i, fee: params.minFee, action: { selector: ACTION_TRANSFER, value: { to: hash('bench-account', u32le(accounts++)), amount: 1_000n } } }
      transactions.push({ transaction, signature: payer.sign(transactionId(transaction)) })
    }
    const made = assembleBlock(params, tip, { transactions, seals: [], miner: miner.publicKey, payee: payer.publicKey, timeMs: start + h * INTERVALS * params.blockIntervalMs })
    const worked = h > blocks - (o.worked ?? WORKED_BLOCKS)
    let claim: Claim
    for (let slice = 0; ; slice++) {
      claim = worked ? await workedClaim(made.template, slice) : forgedClaim(made.template, slice)
      if (ticketWins(made.template.target, sliceCost(made.job.spec), ticket(claim))) break
    }
    claim = { ...claim, signature: miner.sign(claimId(claim)) }
    const meta: BlockMeta = { ...extendHeader(tip, claim), parent: tip, ledger: made.ledger }
    if (h > blocks - 2 * params.historyBlocks - 32) {
      if (waiting.length > 0) await flush()
      store.put(treeNode({ meta, body: made.body, events: made.events, checked: 'replayed', origin: undefined }))
      if (h < blocks - 2 * params.historyBlocks) store.settle([meta])
      await store.idle()
    } else {
      waiting.push({ meta, body: made.body })
      if (waiting.length === COMMIT_BLOCKS) await flush()
    }
    tip = meta
    // What the rules look back at stays; the rest would fill the memory.
    let deep: BlockMeta | undefined = tip
    for (let i = 0; i < 160 && deep !== undefined; i++) deep = deep.parent
    if (deep !== undefined) (deep as { parent?: BlockMeta }).parent = undefined
    if (h % 1000 === 0) say(`block ${h} of ${blocks}, ${tip.ledger.accounts.size} accounts`)
  }
  store.follow(tip)
  await store.close()
  await compute.stop()
  return tip

  async function workedClaim (template: Template, slice: number): Promise<Claim> {
    const { spec } = tip.ledger.jobs[0]
    const r = await compute.runSlice(sliceTask(spec, template, slice, initialState(spec), data), 'slice')
    return { template, slice, resultHash: r.stateHash, payloadDigest: r.payloadDigest, payloadBytes: r.payload.length, signature: new Uint8Array(64) }
  }

  function forgedClaim (template: Template, slice: number): Claim {
    const z = templateHash(template)
    return { template, slice, resultHash: hash('bench-result', z, u32le(slice)), payloadDigest: hash('bench-payload', z, u32le(slice)), payloadBytes: payloadSize(tip.ledger.jobs[0].spec), signature: new Uint8Array(64) }
  }
}

const HEIGHT_DIGITS = 8
const bodyKey = (m: BlockMeta): string => `${m.height.toString(16).padStart(HEIGHT_DIGITS, '0')}/${toHex(m.hash)}`

/** The disk as one file: store, key and value of every record, each behind its length. */
export async function packDisk (disk: MemoryDisk): Promise<Uint8Array> {
  const storage = new MemoryStorage(disk)
  const parts: Uint8Array[] = []
  for (const [i, store] of STORES.entries()) {
    for (const [key, value] of await storage.range(store)) {
      const name = new TextEncoder().encode(key)
      const head = new Uint8Array(9)
      const view = new DataView(head.buffer)
      view.setUint8(0, i)
      view.setUint32(1, name.length, true)
      view.setUint32(5, value.length, true)
      parts.push(head, name, value)
    }
  }
  return new Uint8Array(Buffer.concat(parts))
}

export function * unpackDisk (bytes: Uint8Array): Generator<StorageOp> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = new TextDecoder()
  for (let at = 0; at < bytes.length;) {
    const store = STORES[view.getUint8(at)]
    const name = view.getUint32(at + 1, true)
    const size = view.getUint32(at + 5, true)
    at += 9
    yield { op: 'put', store, key: text.decode(bytes.subarray(at, at + name)), value: bytes.slice(at + name, at + name + size) }
    at += name + size
  }
}

/** The packed disk of a node that holds such a chain; made once a machine, kept in its folder for such things. */
export async function longChainFile (o: Omit<LongChain, 'nowMs'>, say: (text: string) => void): Promise<string> {
  const folder = join(tmpdir(), 'commonweight-bench')
  const file = join(folder, `${o.params.name}-${toHex(genesis(o.params).hash).slice(0, 8)}-${o.blocks}-${o.transfersPerBlock}.disk`)
  if (existsSync(file)) return file
  mkdirSync(folder, { recursive: true })
  const disk = new MemoryDisk(undefined, true)
  await makeLongChain({ ...o, nowMs: Date.now() - 60_000 }, disk, say)
  writeFileSync(`${file}.part`, await packDisk(disk))
  renameSync(`${file}.part`, file)
  return file
}

export function diskFrom (file: string): MemoryDisk {
  const disk = new MemoryDisk(undefined, true)
  disk.apply([...unpackDisk(new Uint8Array(readFileSync(file)))])
  return disk
}
