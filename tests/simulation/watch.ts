/**
 * What must hold in every world, whatever goes wrong in it. Facts come from all nodes as they happen;
 * what is a violation is decided here, by rules that know nothing of how a node works.
 *
 * Bounds with a confidence are one-sided; each is so rare for a right node (1e-9 per tab and world)
 * that a thousand worlds of a hundred tabs raise a false alarm once in ten thousand runs.
 */
import { equalBytes, toHex } from '../../src/core/codec/ssz.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import type { Node } from '../../src/node/node.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import type { StorageOp } from '../../src/ports/storage.ts'
import { type Claim, type Proposal, type SealVote, WORK_CLAIM, WORK_PROPOSAL, WORK_VOTE } from '../../src/core/codec/wire.ts'
import { claimId, transactionId } from '../../src/core/crypto/ids.ts'
import { CONTRIBUTION_SUBSIDY_SHARE } from '../../src/core/params.ts'
import { account } from '../../src/core/ledger/state.ts'
import { Apart, luckyDepth, ownDepth } from './apart.ts'
import { Auditing } from './auditing.ts'
import { earnedBy, type Earner, pooled, unfair } from './fairness.ts'
import type { Faults } from './faults.ts'
import { Forgeries } from './forgeries.ts'
import type { Violation } from './report/types.ts'
import { Payments } from './payments.ts'
import type { Squad } from './enemies/squad.ts'
import { isWork, workMessage } from './enemies/tap.ts'
import type { Session, Tab } from './tab.ts'
import type { Users } from './users.ts'
import { Votes } from './votes.ts'
import { START_MS, type World } from './world.ts'

/**
 * Blocks of a branch that an honest node may take back when nothing parts the nodes. A pool of 30 % that
 * keeps its blocks to itself is ever so far ahead with a chance of (3/7)^16, one in 800,000; for larger ones
 * see apart.ts. Who was apart from the others for a time may take back what is found in it, at twice the pace of the chain.
 */
export const DEPTH = 16
/** Who does not verify has more of his time for mining than the others. */
const IDLE_SHARE = 0.03
/** Blocks by which an honest node may be behind after healing, a slice of its own being under way. */
export const AGREE_DEPTH = 3
/** A tab's disk holds at most this beside its blocks, bytes, and this per block. */
const DISK_BASE = 4 * 1024 * 1024
const DISK_PER_BLOCK = 64 * 1024
/** Blocks held that cannot be judged yet: as many as both waiting rooms have places. */
const HELD_MAX = 128
/** Transactions that wait in a pool. */
const POOL_MAX = 1024
/** Refusals of what one honest node sent another, per pair that met and minute. */
const REFUSALS_PER_TAB_MINUTE = 3
const SAMPLE_MS = 5_000
/** Samples from one audit of a node's ledger to the next. */
const AUDIT_EVERY = 4
const VIOLATIONS_PER_CHECKER = 5
const CLAIMS_KEPT = 100_000
/** A right node fails a statistical bound with this chance. */
const RARE = 1e-9

interface Committed { readonly height: number, readonly hash: string }

export class Watch {
  readonly #world: World
  readonly #faults: Faults
  readonly #squads: readonly Squad[]
  readonly #forgeries: Forgeries
  readonly #apart: Apart
  readonly #depth: number
  readonly #auditing: Auditing
  #samples = 0
  readonly violations: Violation[] = []
  readonly #perChecker = new Map<string, number>()
  /** Who is who on the network, of all sessions. */
  readonly #tabOfPeer = new Map<string, Tab>()
  /** Of all profiles. */
  readonly #tabOfMiner = new Map<string, Tab>()
  readonly #known = new Map<string, BlockMeta>()
  /** Blocks that each profile was told are on its disk. */
  readonly #committed = new Map<Tab, { profile: number, blocks: Map<string, Committed>, head: BlockMeta | undefined }>()
  /** Where those were that were closed in good order. */
  readonly #rested = new Map<Tab, { readonly profile: number, readonly head: BlockMeta }>()
  /** Of honest tabs, by miner, job, round, height and slice. */
  readonly #claims = new Map<string, string>()
  readonly #refusals = new Map<string, number>()
  readonly #payments = new Payments()
  readonly #votes: Votes
  /** Of honest tabs, in all their profiles: keys in hex. */
  readonly #wallets = new Set<string>()
  /** The most that heads of each tab have said it owns, by its nonce, and when one said less last: not for having been spent. */
  readonly #funds = new Map<Tab, { readonly profile: number, readonly most: Map<number, bigint>, lessAtMs: number }>()
  readonly refusedBetweenHonest: Record<string, number> = {}
  deepestReorganisation = 0
  /** Honest tabs whose chain had a base above the first block, and those that had joined by a ledger. */
  readonly #cut = new Set<Tab>()
  readonly #joined = new Set<Tab>()

  constructor (world: World, faults: Faults, squads: readonly Squad[]) {
    this.#world = world
    this.#faults = faults
    this.#squads = squads
    this.#apart = new Apart(world)
    const speed = (tabs: readonly Tab[]): number => tabs.reduce((sum, t) => sum + t.costPerSecond, 0)
    const against = speed(world.tabs.filter(t => !t.honest)) / speed(world.tabs)
    this.#depth = luckyDepth(against === 0 ? 0 : against + IDLE_SHARE, DEPTH)
    this.#forgeries = new Forgeries(world, faults, squads, (checker, detail) => { this.fail(checker, detail) })
    this.#auditing = new Auditing(world, (checker, detail) => { this.fail(checker, detail) })
    this.#votes = new Votes(world.params.roundMs)
    for (const tab of world.tabs) {
      tab.published = (topic, bytes) => { if (isWork(topic)) this.#published(tab, bytes) }
      if (!tab.honest) continue
      tab.diskEvents.asked = ops => { for (const op of ops) if (op.op === 'delete' && op.store === 'headers') this.#committed.get(tab)?.blocks.delete(op.key.split('/')[2]) }
      tab.diskEvents.committed = ops => { this.#commit(tab, ops) }
    }
    world.listen({
      opened: (tab, node) => { this.#opened(tab, node) },
      closed: (tab, session) => { this.#closed(tab, session) },
      // What was joined by a ledger and is not settled is on no disk: a reload joins anew (docs/security.md, section 7).
      rested: (tab, node) => { if (!node.sync.unproved() && !node.chain.isAdopted) this.#rested.set(tab, { profile: tab.profile, head: node.chain.head() }) }
    })
    this.#sample()
  }

  fail (checker: string, detail: string): void {
    const n = (this.#perChecker.get(checker) ?? 0) + 1
    this.#perChecker.set(checker, n)
    if (n <= VIOLATIONS_PER_CHECKER) this.violations.push({ checker, detail, atMs: this.#world.elapsed })
  }

  #sound (tab: Tab): boolean { return this.#faults.sound(tab) }

  /** Honest nodes that compute right, have room and are open now. */
  soundUp (): Array<{ readonly tab: Tab, readonly node: Node }> {
    return this.#world.tabs.flatMap(tab => tab.up && this.#sound(tab) ? [{ tab, node: tab.node! }] : [])
  }

  // --- as it happens

  #opened (tab: Tab, node: Node): void {
    const session = tab.session!
    this.#tabOfPeer.set(session.id, tab)
    this.#tabOfMiner.set(toHex(tab.minerKey), tab)
    // Of what was written before a crash and never announced, as its own block may be, nobody has heard.
    const there = mainChain(node)
    if (!this.#sound(tab)) this.#auditing.heard(there)
    else this.#auditing.added(tab.index, there)
    if (!tab.honest) {
      node.chain.on('head', ({ added }) => { this.#auditing.heard(added) })
      return
    }
    this.#wallets.add(toHex(node.payee))
    this.#resumed(tab, node)
    this.#funded(tab, node, node.chain.head())
    node.chain.on('head', ({ head, removed, added }) => { this.#head(tab, session, head, removed, added) })
    node.rounds.onTip(tip => { if (this.#sound(tab)) for (const s of tip.pending) this.#forgeries.sealed(tab, session, s, !node.sync.unproved()) })
    node.chain.on('condemned', id => { this.#forgeries.condemned(session, id) })
    node.refusals.onRefusal(r => { if (r.peer !== undefined) this.#refused(tab, r.peer, `${r.what.split(' ')[0]}: ${r.reason}`, r.detail) })
    node.log.onEntry(e => {
      if (e.level === 'error' && this.#sound(tab) && !this.#faults.disks.has(tab) && !this.#faults.devices.has(tab)) this.fail('error logged', `tab ${tab.index}: ${e.area}: ${e.text}`)
    })
  }

  #closed (tab: Tab, session: Session): void {
    this.#rested.delete(tab)
    for (const { id, reason } of session.node?.net.banned ?? []) this.#banned(tab, id, reason)
  }

  /** Credits that were in blocks which are taken back: what was to be paid with them may never be. */
  #funded (tab: Tab, node: Node, { ledger }: BlockMeta): void {
    const { balance: ripe, nonce } = account(ledger, node.payee)
    // With what the next block makes ripe, and more.
    const balance = ledger.maturing.reduce((sum, m) => equalBytes(m.account, node.payee) ? sum + m.amount : sum, ripe)
    let f = this.#funds.get(tab)
    if (f === undefined || f.profile !== tab.profile) this.#funds.set(tab, f = { profile: tab.profile, most: new Map(), lessAtMs: -1 })
    const most = f.most.get(nonce)
    if (most === undefined || balance > most) f.most.set(nonce, balance)
    else if (balance < most) f.lessAtMs = this.#world.elapsed
  }

  /** On a job's topic. */
  #published (tab: Tab, bytes: Uint8Array): void {
    const message = bytes[0] === WORK_PROPOSAL || (tab.honest && (bytes[0] === WORK_CLAIM || bytes[0] === WORK_VOTE)) ? workMessage(bytes) : undefined
    if (message?.selector === WORK_PROPOSAL) this.#votes.offered(message.value as Proposal)
    else if (message?.selector === WORK_CLAIM) this.#claimed(tab, message.value as Claim)
    else if (message?.selector === WORK_VOTE) this.#voted(tab, message.value as SealVote)
  }

  /** By its own clock, which may be set while a vote binds it. */
  #voted (tab: Tab, vote: SealVote): void {
    const { session } = tab
    if (session === undefined || !this.#sound(tab)) return
    const agoMs = this.#votes.signed(session.id, vote, session.clock.now())
    if (agoMs !== undefined) this.fail('two seals signed', `tab ${tab.index} signs ${toHex(vote.sealHash).slice(0, 8)}, ${(agoMs / 1000).toFixed(1)} s after another seal for that round`)
  }

  /** Two claims for one slice look like cheating: whoever is honest makes none, whenever his page was loaded again. */
  #claimed (tab: Tab, claim: Claim): void {
    if (!this.#sound(tab) || this.#faults.disks.has(tab)) return
    const { height, job, round } = claim.template
    const name = `${toHex(claim.template.miner)}/${toHex(job)}/${round}/${height}/${claim.slice}`
    const id = toHex(claimId(claim))
    const before = this.#claims.get(name)
    if (before !== undefined && before !== id) this.fail('slice claimed twice', `tab ${tab.index} claims slice ${claim.slice} of round ${round} at height ${height} twice: ${before.slice(0, 8)} and ${id.slice(0, 8)}, load ${tab.loads}`)
    this.#claims.set(name, id)
    if (this.#claims.size > CLAIMS_KEPT) this.#claims.delete(this.#claims.keys().next().value!)
  }

  #head (tab: Tab, session: Session, head: BlockMeta, removed: readonly BlockRecord[], added: readonly BlockRecord[]): void {
    this.#remember(head)
    if (!this.#sound(tab)) {
      this.#auditing.heard(added)
      return
    }
    this.#auditing.added(tab.index, added)
    this.#payments.heard(added)
    if (session.node !== undefined) this.#funded(tab, session.node, head)
    // Who joins may leave what he was only told of.
    const depth = ownDepth(removed, this.#world.params.joinReplayBlocks)
    if (depth > this.deepestReorganisation) this.deepestReorganisation = depth
    const apartMs = this.#apart.ms(tab)
    const allowed = this.#depth + Math.ceil(2 * (apartMs === 0 ? 0 : apartMs + SAMPLE_MS) / this.#world.params.blockIntervalMs)
    if (depth > allowed) this.fail('reorganisation', `tab ${tab.index} takes back ${depth} blocks that it has redone, at most ${allowed}: it was apart from the others for ${apartMs / 1000} s`)
    // A block that it took before its clock was set back is one that it had.
    const late = this.#world.now + (this.#faults.aheadMs.get(tab) ?? 0) + this.#world.params.futureMs
    for (const { checked, meta } of added) {
      this.#remember(meta)
      if (meta.header.template.time > late) this.fail('block of the future', `tab ${tab.index} took block ${meta.height} ${toHex(meta.hash).slice(0, 8)}, dated ${meta.header.template.time - late} ms further ahead than may be`)
      if (checked === 'ledger') continue
      const wrong = this.#faults.wrongResults.get(toHex(meta.header.resultHash))
      if (wrong !== undefined) this.fail('wrong work accepted', `tab ${tab.index} took block ${meta.height} ${toHex(meta.hash).slice(0, 8)} of tab ${wrong.index}, whose device computes wrong bits`)
    }
    for (const b of added) {
      for (const s of b.body.seals) {
        this.#forgeries.sealed(tab, session, s, b.checked !== 'ledger')
        for (const c of s.seal.contributions) if (b.checked !== 'ledger' && this.#faults.wrongResults.has(toHex(c.resultHash))) this.#sealedWrong.add(toHex(c.resultHash))
      }
    }
    const committed = this.#committed.get(tab)
    // What it has dropped itself may be gone before it says so to its disk.
    for (const { meta } of removed) if (session.node?.chain.has(meta.hash) === false) committed?.blocks.delete(toHex(meta.hash))
    // After a restart it goes on from what it has proved: what it was told of may be gone.
    if (committed !== undefined && session.node?.sync.unproved() === false) committed.head = session.node.chain.head()
  }

  /** Contributions of wrong bits that a seal carried: optimistic sealing lets one through until it is challenged. */
  readonly #sealedWrong = new Set<string>()
  get sealedWrong (): number { return this.#sealedWrong.size }
  /** How far its worlds go into what long chains do. */
  get longChains (): Record<'cut' | 'joined by a ledger', number> { return { cut: this.#cut.size, 'joined by a ledger': this.#joined.size } }
  get wrongRounds (): Forgeries['counts'] { return this.#forgeries.counts }

  #remember (meta: BlockMeta): void { this.#known.set(toHex(meta.hash), meta) }

  #refused (tab: Tab, peer: string, what: string, detail: string): void {
    const other = this.#tabOfPeer.get(peer)
    if (other === undefined || !this.#sound(tab) || !this.#sound(other)) return
    this.refusedBetweenHonest[what] = (this.refusedBetweenHonest[what] ?? 0) + 1
    // The blocks of the one are dated in the other's future: a fast tab mines on alone then, and each of its blocks is refused once.
    if (Math.abs(tab.faults.skewMs - other.faults.skewMs) > this.#world.params.futureMs) return
    const name = `${tab.index}/${other.index}`
    const n = (this.#refusals.get(name) ?? 0) + 1
    this.#refusals.set(name, n)
    if (n > 5 + REFUSALS_PER_TAB_MINUTE * this.#world.elapsed / 60_000) this.fail('honest refused', `tab ${tab.index} has refused tab ${other.index} ${n} times, the last: ${what}, ${detail}`)
  }

  #banned (tab: Tab, peer: string, reason: string): void {
    const other = this.#tabOfPeer.get(peer)
    if (other === undefined || !this.#sound(tab) || !this.#sound(other)) return
    this.fail('honest banned', `tab ${tab.index} bans tab ${other.index}: ${reason}`)
  }

  /** A key is banned for as long as the page is open: what its links say of it shows none of that. */
  #bannedKeys (tab: Tab, node: Node, up: ReturnType<Watch['soundUp']>): void {
    for (const { tab: other } of up) {
      if (other !== tab && !this.#faults.disks.has(other) && node.refusals.isBannedMiner(other.minerKey)) this.fail('honest banned', `tab ${tab.index} holds the key of tab ${other.index} for a cheater's`)
    }
  }

  // --- what was on the disk

  #commit (tab: Tab, ops: readonly StorageOp[]): void {
    let c = this.#committed.get(tab)
    if (c === undefined || c.profile !== tab.profile) this.#committed.set(tab, c = { profile: tab.profile, blocks: new Map(), head: undefined })
    for (const op of ops) {
      if (op.store !== 'headers' || !op.key.startsWith('n/')) continue
      const [, height, hash] = op.key.split('/')
      if (op.op === 'put') c.blocks.set(hash, { hash, height: parseInt(height, 16) })
      else c.blocks.delete(hash)
    }
  }

  /** A page loaded again goes on where its disk was. */
  #resumed (tab: Tab, node: Node): void {
    if (!this.#sound(tab)) return
    const { chain } = node
    const rested = this.#rested.get(tab)
    if (rested?.profile === tab.profile && !this.#faults.disks.has(tab) && chain.head().work < rested.head.work) {
      this.fail('height lost', `tab ${tab.index} was closed in good order at block ${rested.head.height} and goes on from ${chain.head().height}`)
    }
    const c = this.#committed.get(tab)
    if (c === undefined || c.profile !== tab.profile) return
    for (const { hash, height } of c.blocks.values()) {
      const meta = this.#known.get(hash)
      if (meta === undefined || height <= chain.baseHeight() || chain.has(meta.hash)) continue
      this.fail('committed block lost', `tab ${tab.index} was told that block ${height} ${hash.slice(0, 8)} is on its disk, and has it no more after load ${tab.loads}; its head is at ${chain.head().height}`)
    }
    const head = c.head
    if (head !== undefined && c.blocks.has(toHex(head.hash)) && chain.head().work < head.work) {
      this.fail('height lost', `tab ${tab.index} had block ${head.height} as its committed head and goes on from ${chain.head().height}`)
    }
    // What it led with and never had on its disk is no head that it had, though it may hear of it again.
    c.head = chain.head()
  }

  // --- now and then

  #sample (): void {
    this.#world.scheduler.after(SAMPLE_MS, () => {
      this.#apart.sample(SAMPLE_MS)
      const up = this.soundUp()
      const isAuditTurn = up.length > 0 && this.#samples++ % AUDIT_EVERY === 0
      if (isAuditTurn) {
        const { node, tab } = up[this.#samples % up.length]
        this.#auditing.head(tab.index, node)
      }
      for (const { tab, node } of up) {
        if (isAuditTurn) this.#bannedKeys(tab, node, up)
        if (node.chain.baseHeight() > 0) this.#cut.add(tab)
        if (node.chain.joined() !== undefined) this.#joined.add(tab)
        for (const { id, reason } of node.net.banned) this.#banned(tab, id, reason)
        this.#forgeries.look(tab, tab.session!, node)
        this.#auditing.choice(tab.index, node)
        const { orphans, waiting } = node.chain.held()
        if (orphans + waiting > HELD_MAX) this.fail('memory', `tab ${tab.index} holds ${orphans} orphans and ${waiting} waiting blocks`)
        if (node.pool.size > POOL_MAX) this.fail('memory', `tab ${tab.index} has ${node.pool.size} transactions waiting`)
        const disk = DISK_BASE + DISK_PER_BLOCK * node.chain.head().height
        if (tab.disk.used > disk) this.fail('disk', `tab ${tab.index} has ${tab.disk.used} bytes on its disk at height ${node.chain.head().height}, at most ${disk}`)
      }
      this.#sample()
    })
  }

  // --- after healing

  /** Why the honest do not agree; undefined when they do. */
  disagreement (): string | undefined {
    const closed = this.#world.tabs.filter(t => this.#sound(t) && !t.up)
    if (closed.length > 0) return `tabs ${closed.map(t => t.index).join(', ')} are not up`
    const up = this.soundUp()
    const low = Math.min(...up.map(u => u.node.chain.head().height))
    const high = Math.max(...up.map(u => u.node.chain.head().height))
    if (high - low > AGREE_DEPTH) {
      const behind = up.filter(u => high - u.node.chain.head().height > AGREE_DEPTH)
      return `heights from ${low} to ${high}; behind: ${behind.slice(0, 5).map(u => `tab ${u.tab.index} (${u.tab.deviceClass}, ${u.node.chain.head().height}, ${u.node.phase().phase})`).join(', ')}`
    }
    const at = Math.max(0, low - AGREE_DEPTH)
    const by = new Map<string, number[]>()
    for (const { tab, node } of up) {
      const meta = node.chain.metaAt(at)
      const name = meta === undefined ? 'nothing' : toHex(meta.hash).slice(0, 8)
      by.set(name, [...by.get(name) ?? [], tab.index])
    }
    return by.size === 1 ? undefined : `at height ${at}: ${[...by].map(([name, tabs]) => `${name} in tabs ${tabs.slice(0, 8).join(', ')}`).join('; ')}`
  }

  /** What the tab that is furthest behind says itself, for whoever looks into it. */
  lastWords (): string[] {
    const last = this.soundUp().sort((a, b) => a.node.chain.head().height - b.node.chain.head().height)[0]
    if (last === undefined) return []
    const { node, tab } = last
    return [
      `tab ${tab.index} of ${tab.deviceClass}, load ${tab.loads}, profile ${tab.profile}, ${node.phase().phase}, height ${node.chain.head().height}, redone ${node.chain.redone().height}, held ${JSON.stringify(node.chain.held())}, peers ${node.net.peers.map(p => `${p.id} ${node.sync.statuses().get(p.id)?.height ?? '?'}`).join(' ')}`,
      ...node.net.banned.map(b => `bans ${b.id}: ${b.reason}`),
      ...node.log.entries(30).map(e => `${((e.timeMs - START_MS) / 1000).toFixed(1)} s  ${e.level} ${e.area}: ${e.text}`)
    ]
  }

  /** What is only known at the end. */
  finish (users: Users): void {
    const chain = this.#mainChain()
    this.#transactions(users, this.#payments.ids(chain))
    for (const p of this.#payments.unasked(chain, users.asked, this.#wallets)) this.fail('payment that nobody asked for', `block ${p.height}: a ${p.kind} of ${p.from.slice(0, 8)}, once more than its owner has asked for it`)
    const [head] = chain
    if (head === undefined) return
    const id = toHex(head.hash)
    this.#fairness(id)
    this.#auditing.replay(id, this.#forgeries)
    this.#forgeries.finish(depth => this.#auditing.sealed(id, depth), RARE)
  }

  /** The sound tabs that are open now have a quorum of the seats: without it enemies can hold a round up for as long as they like. */
  canSeal (): boolean {
    const { committeeBlocks, rhoDelay } = this.#world.params
    const seats = new Set(this.#mainChain().slice(rhoDelay, rhoDelay + committeeBlocks).map(m => toHex(m.header.template.miner)))
    const sound = new Set(this.soundUp().map(u => toHex(u.tab.minerKey)))
    return 3 * [...seats].filter(key => sound.has(key)).length > 2 * seats.size
  }

  #mainChain (): BlockMeta[] {
    const heads = this.soundUp().map(u => u.node.chain.head())
    const best = heads.reduce<BlockMeta | undefined>((a, b) => a === undefined || b.work > a.work ? b : a, undefined)
    const chain: BlockMeta[] = []
    for (let m = best; m !== undefined && m.height > 0; m = this.#known.get(toHex(m.header.template.parent))) chain.push(m)
    return chain
  }

  /** Nobody earns many more credits than his work is worth, nor finds more blocks; where there are no enemies, nor many fewer. */
  #fairness (id: string): void {
    const rewards = this.#auditing.rewards(id)
    const { earned, nobodys } = earnedBy(rewards, key => this.#tabOfMiner.get(key) ?? this.#squads.map(squad => squad.keys?.get(key)).find(tab => tab !== undefined))
    for (const key of nobodys) this.fail('simulator', `${rewards.get(key)!.blocks} blocks of ${key.slice(0, 8)}, which is the key of no tab`)
    const all = this.#world.tabs.map((tab): Earner => ({
      name: `tab ${tab.index} (${tab.enemy?.name ?? tab.deviceClass})`, kind: !tab.honest ? 'attacker' : this.#sound(tab) ? 'honest' : 'other',
      work: (tab.work.minedMs + (tab.session?.device.minedMs ?? 0)) * tab.costPerSecond, ...earned.get(tab) ?? { blocks: 0, credits: 0 }
    }))
    const kinds = pooled(all.map((e, i) => ({ ...e, name: e.kind === 'other' ? 'wrong' : this.#world.tabs[i].enemy?.name ?? `every ${this.#world.tabs[i].deviceClass}` })))
    const unit = Number(this.#world.params.subsidy * BigInt(256 - CONTRIBUTION_SUBSIDY_SHARE) / 256n)
    for (const why of [...unfair(all, unit, RARE), ...unfair(kinds, unit, RARE)]) this.fail('fairness', why)
  }

  /** What a wallet took is in the chain, or still waits, also where its page was loaded again: a nonce that another one has spent is no comfort. */
  #transactions (users: Users, inChain: ReadonlySet<string>): void {
    for (const { atMs, id, kind, nonce, profile, tab } of users.sent) {
      // The table of jobs may be full when its turn comes, or the job over: the wallet says so and lets it go.
      if (kind !== 'transfer') continue
      if (!this.#sound(tab) || tab.profile !== profile || this.#faults.disks.has(tab) || !tab.up) continue
      const node = tab.node!
      const waits = node.pool.pending(node.payee).some(t => toHex(transactionId(t.transaction)) === id)
      // Its credits were taken back for so long that the wallet gave it up, and says so.
      const isVoid = this.#funds.get(tab)!.lessAtMs >= atMs && node.spending.unsent().some(u => u.id === id && u.why === 'void')
      if (!inChain.has(id) && !waits && !isVoid) this.fail('transaction lost', `tab ${tab.index} took ${id.slice(0, 8)} with nonce ${nonce} at ${Math.round(atMs / 1000)} s; it is in no block and waits no more; the account is at nonce ${account(node.chain.head().ledger, node.payee).nonce}, the wallet says ${node.spending.unsent().find(u => u.id === id)?.why ?? 'nothing'}`)
    }
  }
}

/** Blocks of a node's main chain whose bodies it has, oldest first. */
function mainChain ({ chain }: Node): BlockRecord[] {
  const all: BlockRecord[] = []
  for (let height = chain.baseHeight() + 1; height <= chain.head().height; height++) {
    const r = chain.at(height)
    if (r !== undefined) all.push(r)
  }
  return all
}

/** What is looked for, a sentence each, for the report. */
export const CHECKED: readonly string[] = [
  'Every block that an honest node takes, and what it says of its head and of everybody\'s credits, passes an audit by other code: rules, tickets, seals, supply and escrow.',
  'No block of a device that computes wrong bits is taken by who redoes it; at the end every slice of the chain, of blocks and contributions, and every sealed state is made once more.',
  'No node follows a block where it has redone a better one.',
  'A block that a tab was told is on its disk is there after it loads again, and its head is not behind that.',
  'Honest nodes ban neither one another nor one another\'s keys, and do not keep refusing one another.',
  'A tab that was closed in good order goes on from where it was, and claims no slice twice.',
  'Nobody takes a block that is dated further ahead of his clock than the rules allow.',
  'Of rounds in which a committee sealed contributions that are forged or of wrong bits no more keep them than chance lets through; who has found one wrong does not keep its block, and none is sealed where nobody vouches for friends.',
  'Nobody honest takes back a longer branch that he has redone than the time allows for which he himself was apart from the others.',
  'Nobody, attackers included, has many more blocks or credits than the work is worth, alone or with all of a kind of device or enemy; without attackers, nor many fewer.',
  'No member signs another seal for a round before the one that it has signed has waited for three rounds\' time in vain.',
  'A transfer that a wallet took is in the chain or still waits; where its credits were taken back the wallet says that it was not sent. No wallet pays, orders or cancels what its owner has not asked for, nor twice.',
  'Blocks held, transactions waiting and bytes on the disk stay within their bounds.',
  'An honest node logs no error and leaves no rejection without a handler.',
  'After healing all honest nodes agree within the time given, and the chain goes on, and its rounds do if enough seats are theirs.'
]
