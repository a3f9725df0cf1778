/**
 * The experiment of the Proof of Training prototype (gwechta/proof-of-training, its constants.py:
 * ten users, a hundred transfers, six blocks) with our nodes, and its table beside ours.
 *
 * A fork there is a warning of one node that a block did not extend its chain; the block is appended
 * all the same. The same count here: a node that took a valid block which is not on the main chain.
 * Blocks that several nodes saw are one block in `orphaned`.
 */
import { ACTION_TRANSFER, SignedTransaction } from '../../src/core/codec/wire.ts'
import { formatAddress } from '../../src/core/codec/address.ts'
import { fromHex, toHex } from '../../src/core/codec/ssz.ts'
import { ascii, hash } from '../../src/core/crypto/hash.ts'
import { publicKey, sign } from '../../src/core/crypto/keys.ts'
import { account } from '../../src/core/ledger/state.ts'
import { type ChainParams, GRAINS_PER_CREDIT, HASH_BYTES } from '../../src/core/params.ts'
import type { Node } from '../../src/node/node.ts'
import { Spending } from '../../src/node/spending.ts'
import { WalletDesk } from '../../src/node/walletDesk.ts'
import { transactionsTopic } from '../../src/node/blocksGossip.ts'
import { MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { mainChain, rateInterval, ratio } from './figures.ts'
import { Observer } from './observer.ts'
import type { SweepReport, Table, WorldReport } from './report/types.ts'
import type { Tab } from './tab.ts'
import { World } from './world.ts'

/** benchmark/data.csv at 8371b3c (2024-09-02), the whole of it: nodes, forks, declarations, headers. */
export const THEIRS: ReadonlyArray<{ readonly n: number, readonly forks: number, readonly declarations: number, readonly headers: number }> = ([
  [3, 1, 15, 6], [4, 4, 19, 5], [5, 5, 19, 8], [6, 8, 24, 5], [7, 8, 21, 5], [8, 9, 23, 5], [9, 12, 32, 6], [10, 13, 31, 5], [11, 13, 34, 5],
  [12, 15, 36, 7], [13, 14, 36, 6], [15, 15, 39, 5], [16, 16, 37, 6], [17, 20, 38, 5], [18, 17, 39, 6], [19, 19, 41, 7], [20, 20, 39, 5]
] as const).map(([n, forks, declarations, headers]) => ({ n, forks, declarations, headers }))
/** pot_sim_example.log there: six nodes, the blocks of its chain and its own 106 transactions, coinbases included. */
export const THEIR_LOG = { n: 6, blocks: 6, transactions: 106, forks: 12, seconds: 82 } as const

export const POT_SIZES = [3, 5, 10, 11, 20] as const
const USERS = 10
const TRANSACTIONS = 100
const BLOCKS = 6
/** What the miners pay each user before the experiment begins. */
const FUNDS = 2n * GRAINS_PER_CREDIT
const FEE = 1_000n

export interface PotRun {
  readonly n: number
  readonly seed: string
  readonly blocks: number
  /** Transfers of users in the six blocks, and refused at once for want of credits or room. */
  readonly confirmed: number
  readonly sent: number
  readonly orphaned: number
  readonly sightings: number
  readonly reorganisations: number
  /** Virtual, from the first transfer to the sixth block. */
  readonly seconds: number
  readonly report: WorldReport
}

/** A user: a wallet, and somebody's node that it talks to. */
function wallet (world: World, node: Node, publish: (topic: string, bytes: Uint8Array) => Promise<number>, name: string): { readonly key: Uint8Array, readonly desk: WalletDesk } {
  const seed = hash('sim-user', ascii(`${world.options.seed}/${name}`))
  const key = publicKey(seed)
  const desk = new WalletDesk({
    params: node.params, chain: node.chain, pool: node.pool,
    spending: new Spending({ purse: new MemoryPurse(), account: key, params: node.params, inStep: () => node.presence.inStep(), chain: node.chain, pool: node.pool, clock: node.clock, log: node.log }),
    key: { publicKey: key, sign: message => sign(seed, message) },
    publish: async tx => { await publish(transactionsTopic(node.genesisHash), SignedTransaction.serialize(tx)) }
  })
  return { key, desk }
}

/** Runs on, in steps of half a second, until it holds; false when it does not within `limitMs`. */
async function until (world: World, holds: () => boolean, limitMs: number): Promise<boolean> {
  for (const end = world.elapsed + limitMs; !holds();) {
    if (world.elapsed >= end) return false
    await world.run(500)
  }
  return true
}

async function pays (miners: readonly Tab[], user: Uint8Array): Promise<boolean> {
  for (const miner of miners) if ((await miner.node!.wallet.send(formatAddress(user), FUNDS, FEE)).ok) return true
  return false
}

/** One world: n nodes that train, and as there one process for all users, here a tab that does not train. */
export async function potRun (n: number, seed: string, command: string, params?: Partial<ChainParams>): Promise<PotRun> {
  const begun = performance.now()
  const world = new World({ seed: `${seed}/${n}`, nodes: n + 1, compute: 'real', laptopSliceMs: 250, warm: true, devices: () => 'laptop', params })
  const observer = new Observer(world)
  const [usersTab, ...miners] = world.tabs
  world.listen({ opened: (tab, node) => { if (tab === usersTab) void node.setMining({ on: false }) } })
  world.openAll(5_000)
  const height = (): number => miners[0].node?.chain.head().height ?? 0
  const fail = (what: string): Error => new Error(`${n} nodes, seed ${seed}: ${what}`)

  // Credits first: what the miners have earned ripens, and each user is paid by one of them.
  if (!await until(world, () => usersTab.node !== undefined && miners.every(t => t.node !== undefined) && height() > world.params.maturity + 2, 15 * 60_000)) throw fail('no credits ripened within a quarter of an hour')
  const node = usersTab.node!
  const users = Array.from({ length: USERS }, (_, i) => wallet(world, node, async (topic, bytes) => await usersTab.session!.network.publish(topic, bytes), `user ${i}`))
  const balance = (key: Uint8Array): bigint => account(node.chain.head().ledger, key).balance
  for (const { key } of users) {
    for (const end = world.elapsed + 5 * 60_000; !await pays(miners, key);) {
      if (world.elapsed >= end) throw fail('no miner could pay')
      await world.run(1_000)
    }
  }
  if (!await until(world, () => users.every(u => balance(u.key) >= FUNDS), 10 * 60_000)) throw fail('the users were not paid')

  const first = height() + 1
  const last = first + BLOCKS - 1
  const startedAt = world.elapsed
  const reorganisedBefore = observer.reorganisations
  const random = world.random.stream('users')
  const ids = new Set<string>()
  const sendNext = async (): Promise<void> => {
    if (ids.size >= TRANSACTIONS) return
    const [from, to] = random.shuffle(users)
    const outcome = await from.desk.submit({ selector: ACTION_TRANSFER, value: { to: to.key, amount: BigInt(1 + random.below(10)) * GRAINS_PER_CREDIT / 100n } }, FEE)
    if (outcome.ok) ids.add(outcome.value.id)
    // As there: a transfer after up to a second; one whose sender has too many on the way is drawn again.
    world.scheduler.after(random.uniform() * 1_000, () => { void sendNext() })
  }
  void sendNext()
  if (!await until(world, () => world.tabs.every(t => t.node!.chain.head().height >= last), 20 * 60_000)) throw fail('six blocks were not made')
  const made = (h: number): number => observer.blocks.find(b => b.hash === toHex(node.chain.at(h)!.meta.hash))!.madeAtMs
  const seconds = (made(last) - startedAt) / 1000
  // Two more blocks decide which sixth stays.
  if (!await until(world, () => world.tabs.every(t => t.node!.chain.head().height >= last + 2), 20 * 60_000)) throw fail('the sixth block was not decided')

  const bodies = Array.from({ length: BLOCKS }, (_, i) => node.chain.at(first + i)!)
  const sent = bodies.flatMap(b => b.events).filter(e => e.kind === 'sent' && e.txId !== undefined).map(e => toHex(e.txId!))
  const orphans = observer.orphans(first, last)
  const main = mainChain(observer.blocks, toHex(node.chain.head().hash))
  return {
    n, seed,
    blocks: observer.blocks.filter(b => main.has(b.hash) && b.height >= first && b.height <= last).length,
    confirmed: sent.filter(id => ids.has(id)).length,
    sent: ids.size,
    orphaned: orphans.length,
    sightings: orphans.reduce((sum, b) => sum + miners.filter(t => t.node!.chain.has(fromHex(b.hash, HASH_BYTES)!)).length, 0),
    reorganisations: observer.reorganisations - reorganisedBefore,
    seconds,
    report: observer.report({ command, scenario: 'pot', wallMs: performance.now() - begun, options: { miners: n, users: USERS } })
  }
}

export interface PotOptions {
  readonly seed: string
  /** Worlds of each size. */
  readonly worlds?: number
  readonly sizes?: readonly number[]
  readonly command?: string
  readonly onRun?: (run: PotRun) => void
}

export async function pot (o: PotOptions): Promise<SweepReport> {
  const { onRun, seed, sizes = POT_SIZES, worlds = 5 } = o
  const command = o.command ?? `npm run sim -- --scenario pot --seed ${seed}`
  const runs: PotRun[] = []
  for (const n of sizes) {
    for (let i = 0; i < worlds; i++) {
      const run = await potRun(n, `${seed}/${i}`, command)
      runs.push(run)
      onRun?.(run)
    }
  }
  return { kind: 'sweep', command, scenario: 'pot', points: runs.map(r => r.report), tables: [potTable(runs)] }
}

const fixed = (v: number, digits = 1): string => v.toFixed(digits)

/** Per size: sums over its worlds, as means for one experiment of six blocks. */
export function potTable (runs: readonly PotRun[]): Table {
  const rows = [...new Set(runs.map(r => r.n))].sort((a, b) => a - b).map(n => {
    const of = runs.filter(r => r.n === n)
    const total = (key: 'blocks' | 'confirmed' | 'sent' | 'orphaned' | 'sightings' | 'reorganisations' | 'seconds'): number => of.reduce((s, r) => s + r[key], 0)
    const mean = (key: Parameters<typeof total>[0]): string => fixed(ratio(total(key), of.length))
    const { low, high } = rateInterval(total('orphaned'), of.length)
    const theirs = THEIRS.find(t => t.n === n)
    return [String(n), theirs === undefined ? '?' : String(theirs.forks), mean('sightings'), `${mean('orphaned')} (${fixed(low)}-${fixed(high)})`, mean('reorganisations'), theirs === undefined ? '?' : String(theirs.headers), mean('blocks'), `${mean('confirmed')} of ${mean('sent')}`, mean('seconds'), String(of.length)]
  })
  const head = ['n', 'forks theirs', 'forks ours', 'blocks beside (95 %)', 'reorganised', 'blocks theirs', 'blocks ours', 'transfers confirmed', 'seconds', 'worlds']
  const caption = `Proof of Training's experiment: ${USERS} users, ${TRANSACTIONS} transfers, ${BLOCKS} blocks; ours are means of one such experiment.`
  const notes = [
    'forks: nodes that met a block beside their chain, summed over nodes, which is what theirs logs;',
    'blocks beside: such blocks themselves; seconds: from the first transfer to the sixth block (virtual).',
    'reorganised: heads that took a block back, of all tabs, until two blocks more have decided the sixth.',
    'blocks theirs: headers of that run in their table.',
    'What else is said of our worlds counts one tab more, the users\', which does not train, and the blocks by which the miners earned what they paid the users.',
    `Theirs: benchmark/data.csv. Its example log: ${THEIR_LOG.n} nodes, ${THEIR_LOG.blocks} blocks in ${THEIR_LOG.seconds} s, ${THEIR_LOG.transactions} transactions with coinbases, ${THEIR_LOG.forks} forks.`,
    'A block beside the chain is left out by all of ours once one branch is heavier; there it is appended to the wrong parent.'
  ]
  return { caption, head, rows, notes }
}
