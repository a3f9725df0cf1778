/**
 * The chain as this node knows it: takes blocks from anyone, holds what cannot be judged yet, refuses
 * by name what breaks a rule, and follows the heaviest chain whose work was redone.
 *
 * A submitted block goes: known? -> parent here? (else `orphan`, held) -> header rules (`future` is
 * held) -> verify.ts (slow facts, pure rule; `unavailable` and what would not lead are held) -> tree, store, head. An own block
 * is on disk before it is in the tree: who has heard of it must find it there after a crash.
 * `held` ends in one of the others: when the parent comes, when its time comes, when its data comes, when
 * something builds on it, or in being forgotten.
 */
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import { type Block, Body, type Claim } from '../core/codec/wire.ts'
import { BLOCK_RULES, type BlockRules, checkBodySize } from '../core/consensus/apply.ts'
import { type BlockMeta, compareChains, type HeaderMeta } from '../core/consensus/chain.ts'
import { extendHeader } from '../core/consensus/header.ts'
import { condemnsHash, HEADER_REASONS, invalid, isNews, isOfWork, type Refusal, refusal } from '../core/consensus/refusal.ts'
import { bodyRoot, claimId } from '../core/crypto/ids.ts'
import { type ChainParams } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import { type Adopted, headerBelow } from './adopted.ts'
import { Emitter } from './emitter.ts'
import { asksForLess, CHAIN_LIMITS, type ChainLimits, FUTURE_HELD_MS, type Held, HeldBlocks, ORPHAN_MS, ORPHAN_REACH, OUTDONE_MS, RETRIES, retryWaitMs } from './held.ts'
import { Lru } from './lru.ts'
import type { Blame, BlockRecord, ChainEvents, ChainService, Hex, Log, SubmitResult } from './parts.ts'
import { type ChainStore, type Joined, type Place, type StoredBlock, type StoreState, SNAPSHOT_BLOCKS } from './persist.ts'
import { loadBase, reapply, settleBelow } from './restart.ts'
import { BlockTree, carries, type Depths, type HeadChange, record, records, treeDepths, type TreeNode, treeNode, undoneBlocks } from './tree.ts'
import type { Mode, OnSound, Verifier } from './verify.ts'

export interface MoreChainEvents extends ChainEvents {
  /** A block's parent is not here: whoever sent it has it. */
  readonly missing: (e: { readonly parent: Uint8Array, readonly height: number, readonly via?: PeerId }) => void
  /** Somebody shows a block with a contribution that is known to be wrong here: he does not know it. */
  readonly carrier: (body: Body) => void
  /** One contribution more is known to be wrong; the blocks that carry it go next. */
  readonly condemned: (contribution: Uint8Array) => void
  /** A block that was taken on trust has been replayed. */
  readonly checked: (record: BlockRecord) => void
  readonly storage: (s: StoreState) => void
}

export interface SubmitOptions {
  readonly mode: Mode
  readonly origin?: PeerId
  /** Who has what the block refers to. */
  readonly via?: PeerId
  /** Who answers for the block if it breaks a rule. */
  readonly blame?: PeerId
  /** Who shows it has redone what lies above it, and may have taken its own work on trust: he was deceived himself if it is wrong. */
  readonly maybeTrusted?: boolean
  /**
   * Its chain is said to go on for so long above it that what it has sealed is ripe there, and can be challenged no
   * more. Condemned or not it may come in then, and leads once that work is here and redone (tree.ts): a node that
   * went on refusing it (the others could not redo it, or were apart for too long) would stay alone.
   */
  readonly ripe?: boolean
  /** It came alone: nobody shows what lies between it and our own chain. */
  readonly isGossip?: true
  /** Whether it would lead or not: something is here that builds on it. */
  readonly isBuiltOn?: true
  /** Asked before its work is redone. */
  readonly onSound?: OnSound
  /** It is wrong, and whoever brought it was forgiven for it by `onSound`. */
  readonly onForgiven?: () => void
}

const REFUSED_KEPT = 1024
const NONE_WRONG: ReadonlySet<Hex> = new Set()
/** Blocks that may wait for a parent that is being verified. */
const WAITING_FOR_PARENT = 64

type HeldBlock = Held<SubmitOptions>

export class Chain implements ChainService {
  readonly #params: ChainParams
  readonly #clock: Clock
  readonly #store: ChainStore
  readonly #blame: Pick<Blame, 'refuse'>
  readonly #log: Log
  readonly #events = new Emitter<MoreChainEvents>()
  readonly #depths: Depths
  readonly #rules: BlockRules
  readonly #orphans: HeldBlocks<SubmitOptions>
  readonly #waiting: HeldBlocks<SubmitOptions>
  /** Whose work is not redone, for others lead. */
  readonly #outdone: HeldBlocks<SubmitOptions>
  /** By hash, or by variant where a peer may have altered what the hash does not commit to. */
  readonly #refused = new Lru<Refusal>(REFUSED_KEPT)
  readonly #inFlight = new Map<string, Promise<SubmitResult>>()
  readonly #inFlightById = new Map<Hex, Promise<SubmitResult>>()
  readonly #genesis: BlockMeta
  #condemned = new Set<Hex>()
  #tree: BlockTree
  #verifier: Verifier | undefined
  #waitingForParent = 0
  #adopted: Adopted | undefined
  #joined: Joined | undefined
  #holdFrom: Uint8Array | undefined
  #cancelTimer: (() => void) | undefined
  #timerAt = Infinity
  #stopped = false

  constructor (d: { readonly params: ChainParams, readonly genesis: BlockMeta, readonly clock: Clock, readonly store: ChainStore, readonly blame: Pick<Blame, 'refuse'>, readonly log: Log, readonly limits?: ChainLimits, readonly rules?: BlockRules }) {
    this.#params = d.params
    this.#clock = d.clock
    this.#store = d.store
    this.#blame = d.blame
    this.#log = d.log
    const limits = d.limits ?? CHAIN_LIMITS
    this.#orphans = new HeldBlocks(limits.orphans)
    this.#waiting = new HeldBlocks(limits.waiting)
    this.#outdone = new HeldBlocks(limits.outdone)
    this.#depths = treeDepths(d.params)
    this.#rules = d.rules ?? BLOCK_RULES
    this.#genesis = d.genesis
    this.#tree = new BlockTree(this.#genesisNode(), d.params.joinReplayBlocks, d.params.maturity, undoneBlocks(d.params))
    this.#store.onState((s) => { this.#events.emit('storage', s) })
  }

  /** The verifier comes later than the constructor: replays and states read the chain themselves. */
  start (verifier: Verifier): void { this.#verifier = verifier }

  async stop (): Promise<void> {
    this.#stopped = true
    this.#cancelTimer?.()
    await this.#store.close()
  }

  on<K extends keyof MoreChainEvents> (event: K, listener: MoreChainEvents[K]): () => void { return this.#events.on(event, listener) }

  head (): BlockMeta { return this.#tree.head.meta }
  /** Newest main-chain block whose work was redone here: what others may take from this node. */
  redone (): BlockMeta { return (this.#adopted?.before ?? this.#tree).redone().meta }
  /** What was checked of a chain whose beginning is not here. */
  joined (): Joined | undefined { return this.#adopted?.joined ?? this.#joined }
  /** Oldest height whose blocks can still be built on. */
  baseHeight (): number { return this.#tree.base.meta.height }
  has (hash: Uint8Array): boolean { return this.#tree.get(toHex(hash)) !== undefined }
  /** It is here, and what it says is being checked. */
  judging (hash: Uint8Array): boolean { return this.#inFlightById.has(toHex(hash)) }
  meta (hash: Uint8Array): BlockMeta | undefined { return this.#tree.get(toHex(hash))?.meta }
  metaAt (height: number): BlockMeta | undefined { return this.#tree.at(height)?.meta }
  isMain (hash: Uint8Array): boolean {
    const n = this.#tree.get(toHex(hash))
    return n !== undefined && this.#tree.isMain(n)
  }

  /** Work that must have been redone at the end of a chain on trust that branches off from this block (tree.ts). */
  owed (hash: Uint8Array): bigint {
    const n = this.#tree.get(toHex(hash))
    const here = n === undefined ? 0n : this.#tree.owed(n)
    return this.#adopted !== undefined && this.#adopted.owed > here ? this.#adopted.owed : here
  }

  /** On the chain that is followed, above what lay at the base before it was. */
  headerAt (height: number): HeaderMeta | undefined { return this.metaAt(height) ?? (this.#adopted === undefined ? undefined : headerBelow(this.#adopted, height)) }
  knownHeader (hash: Uint8Array): HeaderMeta | undefined { return this.meta(hash) ?? this.#adopted?.before.get(toHex(hash))?.meta ?? this.#adopted?.below.find((h) => equalBytes(h.hash, hash)) }
  get isAdopted (): boolean { return this.#adopted !== undefined }
  /** Between which heights others may leave our chain, or have left it: newest first, down to a base. */
  forkHeights (): ReadonlyArray<readonly [number, number]> { return [[this.head().height, this.baseHeight()], ...this.#adopted === undefined ? [] : [[this.#adopted.fork, this.#adopted.before.base.meta.height] as const]] }
  /** Nothing from this block on is settled as long as it is on the main chain; undefined: nothing is held back. */
  hold (hash: Uint8Array | undefined): void { this.#holdFrom = hash }

  #held (): TreeNode | undefined {
    const n = this.#holdFrom === undefined ? undefined : this.#tree.get(toHex(this.#holdFrom))
    return n !== undefined && this.#tree.isMain(n) ? n : undefined
  }

  get (hash: Uint8Array): BlockRecord | undefined { return record(this.#tree.get(toHex(hash))) }
  at (height: number): BlockRecord | undefined { return record(this.#tree.at(height)) }
  /** Blocks of side branches: what they carry may be in no other. */
  offMain (): BlockRecord[] { return records([...this.#tree.nodes()].filter((n) => !this.#tree.isMain(n))) }
  condemnedContributions (): ReadonlySet<Hex> { return this.#condemned }
  held (): { readonly orphans: number, readonly waiting: number } { return { orphans: this.#orphans.size, waiting: this.#waiting.size } }

  async submit (block: Block, origin?: PeerId, via?: PeerId, on?: Pick<SubmitOptions, 'onSound' | 'onForgiven'>): Promise<SubmitResult> {
    return await this.submitAs(block, { mode: 'full', origin, via, blame: via, isGossip: true, ...on })
  }

  async submitOwn (block: Block): Promise<SubmitResult> { return await this.submitAs(block, { mode: 'own' }) }

  async submitAs (block: Block, how: SubmitOptions): Promise<SubmitResult> {
    const result = await this.#submit(block, how)
    // The body is another one's word until it is the one that the header names.
    if (result.status === 'refused' && result.refusal.reason === 'contribution-wrong' && equalBytes(bodyRoot(block.body), block.header.template.bodyRoot)) this.#events.emit('carrier', block.body)
    return result
  }

  async #submit (block: Block, how: SubmitOptions): Promise<SubmitResult> {
    const id = toHex(claimId(block.header))
    if (this.#tree.get(id) !== undefined) return { status: 'known' }
    const root = bodyRoot(block.body)
    const key = `${id}/${toHex(block.header.signature)}/${toHex(root)}`
    const before = this.#refused.get(id) ?? this.#refused.get(key)
    // By a contribution alone are refused the blocks above it, too, and itself until it is ripe.
    const again = before?.reason === 'contribution-wrong' && !carries(block.body, this.#wrongFor(how))
    if (before !== undefined && !again) return { status: 'refused', refusal: before }
    const held = this.#orphans.get(key) ?? this.#waiting.get(key) ?? this.#outdone.get(key)
    if (held !== undefined && !asksForLess(how, held.how)) return { status: 'held', refusal: held.refusal }
    for (const room of [this.#orphans, this.#waiting, this.#outdone]) room.take(key)
    return await this.#judge(block, how, { id, key, root, attempts: 0 })
  }

  /** Once per block at a time; who asks again gets the same answer. */
  async #judge (block: Block, how: SubmitOptions, name: Name): Promise<SubmitResult> {
    const running = this.#inFlight.get(name.key)
    if (running !== undefined) {
      const r = await running
      return r.status === 'added' ? { status: 'known' } : r
    }
    const run = this.#process(block, how, name).finally(() => {
      this.#inFlight.delete(name.key)
      if (this.#inFlightById.get(name.id) === run) this.#inFlightById.delete(name.id)
    })
    this.#inFlight.set(name.key, run)
    this.#inFlightById.set(name.id, run)
    const result = await run
    // After the entry is gone, so that the children find the parent in the tree.
    if (result.status === 'added') this.#bringBack(this.#orphans.childrenOf(name.id))
    return result
  }

  async #process (block: Block, how: SubmitOptions, name: Name): Promise<SubmitResult> {
    const { template } = block.header
    const parentKey = toHex(template.parent)
    const size = Body.value_serializedSize(block.body)
    const tooLarge = checkBodySize(block.body)
    if (tooLarge !== undefined) return this.#refuse(block, how, name, tooLarge)
    if (!await this.#parentJudged(parentKey)) return this.#hold(this.#orphans, block, how, name, orphan('its parent is being verified'), size)
    const parent = this.#tree.get(parentKey)
    if (parent === undefined) return this.#noParent(block, how, name, size)
    const early = this.#rules.checkHeader(this.#params, parent.meta, block.header, this.#clock.now())
    if (early !== undefined) return this.#judged(block, how, name, early, size)
    if (toHex(name.root) !== toHex(template.bodyRoot)) return this.#refuse(block, how, name, invalid('body-root', 'the body is not the one that the header names'))
    if (this.#verifier === undefined) throw new Error('chain: submit before start')
    // Hashes alone make a block that is only told, and name states that nobody has: what builds on it has no turn before it is redone.
    if (how.isGossip === true && parent.checked === 'ledger') return this.#judged(block, how, name, refusal('unavailable', 'replay-unavailable', 'the work of its parent is on trust'), size)
    let forgiven = false
    const onSound: OnSound = () => {
      const verdict = how.onSound?.() ?? 'answers'
      forgiven = verdict === 'forgiven'
      return verdict
    }
    const options = { mode: how.mode, wrong: this.#wrongFor(how), via: how.via, onSound, head: how.isGossip === true ? () => how.isBuiltOn === true || this.#orphans.isWanted(name.id) ? undefined : this.head() : undefined }
    let verified = await this.#verifier.verify(parent.meta, block, options)
    if ('outdone' in verified && verified.by.length > 0) {
      // Those alone that it has met, whatever becomes of them: who forges one after another must not hold it up for ever.
      await Promise.all(verified.by.map((m) => this.#inFlightById.get(toHex(m.hash))))
      verified = await this.#verifier.verify(parent.meta, block, { ...options, waited: true })
    }
    if ('outdone' in verified) return this.#hold(this.#outdone, block, how, name, verified.refusal, size, this.#clock.now() + OUTDONE_MS)
    if (!verified.ok && forgiven && verified.refusal.verdict === 'invalid') how.onForgiven?.()
    if (!verified.ok && !this.#stopped) return verified.letGo === true ? { status: 'refused', refusal: verified.refusal } : this.#judged(block, forgiven ? { ...how, blame: undefined } : how, name, verified.refusal, size)
    const n = verified.ok ? treeNode({ meta: verified.meta, body: block.body, events: verified.events, checked: verified.checked, origin: how.origin }) : undefined
    if (n !== undefined && how.mode === 'own' && !this.#stopped) {
      this.#store.put(n)
      await this.#store.written()
    }
    if (n === undefined || this.#stopped) return { status: 'held', refusal: refusal('unavailable', 'replay-unavailable', 'the node stops') }
    // While it was written its parent may have gone, and one of its contributions may have been condemned.
    const wrong = carries(block.body, this.#wrongFor(how))
    const hasParent = !parent.removed && this.#tree.get(parentKey) !== undefined
    n.condemned = carries(block.body, this.#condemned)
    if (hasParent && !wrong) return this.#insert(n, how, name)
    if (how.mode === 'own') this.#store.remove([n])
    return wrong ? this.#refuse(block, how, name, invalid('contribution-wrong', 'a contribution in it was proved wrong while it was written')) : this.#noParent(block, how, name, size)
  }

  /** Waits for a parent that is being judged, or that the head outdid until now; false: too many do. */
  async #parentJudged (key: Hex): Promise<boolean> {
    for (let turn = 0; turn < 2 && this.#tree.get(key) === undefined; turn++) {
      this.#buildOn(key)
      const run = this.#inFlightById.get(key)
      if (run === undefined) return true
      if (this.#waitingForParent >= WAITING_FOR_PARENT) return false
      this.#waitingForParent++
      await run.finally(() => { this.#waitingForParent-- })
    }
    return true
  }

  #wrongFor (how: SubmitOptions): ReadonlySet<Hex> { return how.ripe === true ? NONE_WRONG : this.#condemned }

  #insert (n: TreeNode, how: SubmitOptions, name: Name): SubmitResult {
    // A variant of the same block, with another valid signature, was faster.
    if (this.#tree.get(name.id) !== undefined) return { status: 'known' }
    this.#refused.delete(name.id)
    this.#refused.delete(name.key)
    const change = this.#tree.insert(n)
    if (how.mode !== 'own') this.#store.put(n)
    if (change !== undefined) this.#headMoved(change)
    return { status: 'added', head: this.#tree.head === n }
  }

  #headMoved (change: HeadChange): void {
    const head = this.#tree.head.meta
    if (change.removed.length > 0) this.#log.info('chain', `reorganised: ${change.removed.length} blocks out, ${change.added.length} in, head ${short(head.hash)} at ${head.height}`)
    this.#follow()
    this.#events.emit('head', { head, removed: records(change.removed), added: records(change.added) })
    if (this.#adopted !== undefined) return
    // While work is taken on trust nothing is let go, so there is nothing to look for at every block.
    if (this.#tree.head.checked === 'ledger' && head.height % SNAPSHOT_BLOCKS !== 0) return
    const { gone } = this.#tree.prune(this.#depths, this.#held())
    if (gone.length === 0) return
    this.#store.settle(gone.filter((n) => !n.removed).map((n) => n.meta))
    this.#store.remove(gone.filter((n) => n.removed))
    this.#store.trim(this.#tree.base.meta.height)
  }

  /** A restart goes on from what is proved: from a chain on trust, or one that is not settled, it goes back to the one before. */
  #follow (): void {
    if (this.#adopted === undefined && this.#tree.proven() === this.#tree.head) this.#store.follow(this.head())
  }

  // --- what is not taken

  #judged (block: Block, how: SubmitOptions, name: Name, refusal: Refusal, size: number): SubmitResult {
    switch (refusal.verdict) {
      case 'invalid':
      case 'stale':
        return this.#refuse(block, how, name, refusal)
      case 'future':
        if (block.header.template.time > this.#clock.now() + this.#params.futureMs + FUTURE_HELD_MS) return { status: 'refused', refusal }
        return this.#hold(this.#waiting, block, how, name, refusal, size, block.header.template.time - this.#params.futureMs)
      case 'orphan':
        return this.#noParent(block, how, name, size)
      case 'unavailable': {
        if (name.attempts >= RETRIES) {
          this.#log.warn('chain', `block ${block.header.template.height} ${name.id.slice(0, 8)} given up: ${refusal.detail}`)
          return { status: 'refused', refusal }
        }
        return this.#hold(this.#waiting, block, how, name, refusal, size, this.#clock.now() + retryWaitMs(name.attempts))
      }
      default:
        return refusal.verdict satisfies never
    }
  }

  #refuse (block: Block, how: SubmitOptions, name: Name, refusal: Refusal): SubmitResult {
    this.#refused.set(condemnsHash(refusal) ? name.id : name.key, refusal)
    const what = `block ${block.header.template.height} ${name.id.slice(0, 8)}`
    if (how.mode === 'own') this.#log.error('chain', `own ${what} refused: ${refusal.reason}, ${refusal.detail}`)
    else if (refusal.verdict === 'invalid') {
      // Header rules come before the claim's signature is checked: they say nothing about its key.
      const signed = condemnsHash(refusal) && !HEADER_RULES.has(refusal.reason) && !isNews(refusal)
      const miner = signed ? toHex(block.header.template.miner) : undefined
      this.#blame.refuse({ what, reason: refusal.reason, detail: refusal.detail, peer: how.blame, miner, fatal: !isNews(refusal), deceived: how.maybeTrusted === true && isOfWork(refusal) })
    }
    return { status: 'refused', refusal }
  }

  /** A header came whose parent is not here, or for whose body there is no place among those asked for. */
  announceMissing (header: Claim, via: PeerId): void {
    this.#events.emit('missing', { parent: header.template.parent, height: header.template.height, via })
  }

  #noParent (block: Block, how: SubmitOptions, name: Name, size: number): SubmitResult {
    const { height, parent } = block.header.template
    if (height <= this.baseHeight()) return { status: 'refused', refusal: refusal('stale', 'header-height', `height ${height}, nothing below ${this.baseHeight() + 1} can be built any more`) }
    this.#events.emit('missing', { parent, height, via: how.via })
    if (height > this.head().height + ORPHAN_REACH) return { status: 'held', refusal: orphan(`height ${height}, the head is at ${this.head().height}`) }
    return this.#hold(this.#orphans, block, how, name, orphan(`parent ${short(parent)} is not here`), size, this.#clock.now() + ORPHAN_MS)
  }

  #hold (pool: HeldBlocks<SubmitOptions>, block: Block, how: SubmitOptions, name: Name, refusal: Refusal, bytes: number, nextAt = Infinity): SubmitResult {
    const h: HeldBlock = { key: name.key, id: name.id, block, parent: toHex(block.header.template.parent), bytes, refusal, via: how.via, how, attempts: name.attempts, nextAt }
    if (!pool.add(h)) return { status: 'refused', refusal: { verdict: 'unavailable', reason: refusal.reason, detail: `no room to hold it: ${refusal.detail}` } }
    this.#log.debug('chain', `block ${block.header.template.height} ${name.id.slice(0, 8)} held: ${refusal.reason}, ${refusal.detail}`)
    this.#arm()
    return { status: 'held', refusal }
  }

  /** New peers may have what held blocks lack. */
  retryUnavailable (): void {
    this.#bringBack(this.#waiting.values().filter((h) => h.refusal.verdict === 'unavailable').map((h) => this.#waiting.take(h.key)!))
  }

  #arm (): void {
    const at = Math.min(this.#waiting.nextAt(), this.#orphans.nextAt(), this.#outdone.nextAt())
    if (at >= this.#timerAt || at === Infinity) return
    this.#cancelTimer?.()
    this.#timerAt = at
    this.#cancelTimer = this.#clock.after(Math.max(1, at - this.#clock.now()), () => {
      this.#timerAt = Infinity
      this.#cancelTimer = undefined
      this.#bringBack(this.#waiting.due(this.#clock.now()).map((h) => this.#waiting.take(h.key)!))
      for (const h of this.#outdone.due(this.#clock.now())) this.#outdone.take(h.key)
      this.#forgetOrphans()
      this.#arm()
    })
  }

  /** No proof of anything: an honest peer's branch may have died out before it was asked for. */
  #forgetOrphans (): void {
    for (const h of this.#orphans.due(this.#clock.now())) {
      this.#orphans.take(h.key)
      const { height } = h.block.header.template
      if (h.how.blame === undefined || height > this.head().height) continue
      this.#blame.refuse({ what: `block ${height} ${h.key.slice(0, 8)}`, reason: h.refusal.reason, detail: `its parent ${h.parent.slice(0, 8)} never came`, peer: h.how.blame, fatal: false })
    }
  }

  #bringBack (held: readonly HeldBlock[]): void {
    if (this.#stopped) return
    for (const h of held) {
      const name = { id: toHex(claimId(h.block.header)), key: h.key, root: bodyRoot(h.block.body), attempts: h.refusal.verdict === 'unavailable' ? h.attempts + 1 : h.attempts }
      this.#judge(h.block, h.how, name).catch((e: unknown) => { this.#log.error('chain', `block ${name.id.slice(0, 8)}: ${e instanceof Error ? e.message : String(e)}`) })
    }
  }

  /** If it is one that the head outdid, its work is redone now, for something builds on it. */
  #buildOn (id: Hex): void {
    const built = this.#outdone.values().filter((h) => h.id === id).map((h) => this.#outdone.take(h.key)!)
    this.#bringBack(built.map((h) => ({ ...h, how: { ...h.how, isBuiltOn: true } })))
  }

  /** The head was taken back: another may lead now. */
  #leadAgain (): void {
    const lead = this.#outdone.values().filter((h) => {
      const parent = this.#tree.get(h.parent)?.meta
      return parent !== undefined && compareChains(extendHeader(parent, h.block.header), this.head()) > 0
    })
    this.#bringBack(lead.map((h) => this.#outdone.take(h.key)!))
  }

  // --- second thoughts

  async condemn (contribution: Uint8Array, detail: string): Promise<void> {
    const id = toHex(contribution)
    if (this.#condemned.has(id)) return
    this.#condemned.add(id)
    this.#store.condemned(this.#condemned)
    this.#log.warn('chain', `contribution ${id.slice(0, 8)} is wrong: ${detail}`)
    this.#events.emit('condemned', contribution)
    this.#removeCarriers(new Set([id]), `seals contribution ${id.slice(0, 16)}: ${detail}`)
  }

  /** Of what lies on the main chain under maturity blocks that were redone, nothing is taken back. */
  #removeCarriers (contributions: ReadonlySet<Hex>, why: string): void {
    const ripe = this.#tree.redone().meta.height - this.#params.maturity
    const all = [...this.#tree.nodes()].filter((n) => n.body !== undefined && carries(n.body, contributions))
    const carriers = all.filter((n) => !(n.meta.height <= ripe && this.#tree.isMain(n)))
    // What stays as ripe is not ripe any more should the blocks above it go.
    for (const n of all) n.condemned = true
    for (const n of carriers.sort((a, b) => a.meta.height - b.meta.height)) this.#remove(n, invalid('contribution-wrong', why))
  }

  /**
   * A replay done later proved the block wrong: it goes, and all after it. So does the work taken on
   * trust below it: it came with it.
   */
  refute (hash: Uint8Array, refusal: Refusal): void {
    const n = this.#tree.get(toHex(hash))
    if (n === undefined) return
    const { miner } = n.meta.header.template
    this.#blame.refuse({ what: `block ${n.meta.height} ${n.key.slice(0, 8)}`, reason: refusal.reason, detail: refusal.detail, miner: toHex(miner), fatal: true })
    let lowest: TreeNode | undefined
    for (let p = this.#tree.get(n.parent); p !== undefined && p !== this.#tree.base && p.checked === 'ledger' && p.children.length === 1; p = this.#tree.get(p.parent)) lowest = p
    this.#remove(n, refusal)
    if (lowest !== undefined) this.#remove(lowest)
  }

  /**
   * Goes on from a block whose ledger was fetched, not applied, until its chain is settled or distrusted.
   * `below`: the headers from `fork`, the newest block known before, up to it.
   */
  adopt (base: BlockMeta, fork: HeaderMeta, below: readonly HeaderMeta[], joined: Joined): void {
    if (this.isAdopted) throw new Error('chain: adopts twice')
    if (!this.isMain(fork.hash)) throw new Error('chain: adopts above a block of another branch')
    const before = this.#tree
    this.#adopted = { before, base: toHex(base.hash), fork: fork.height, owed: this.owed(fork.hash), below, joined }
    this.#tree = new BlockTree(treeNode({ meta: base, body: undefined, events: [], checked: 'ledger' }), this.#params.joinReplayBlocks, this.#params.maturity, undoneBlocks(this.#params))
    this.#events.emit('head', { head: base, removed: records(before.mainAbove(fork.height)), added: [] })
  }

  /** Its newest blocks have been redone: it is this node's chain now, and what it was before is only its beginning. */
  settleAdopted (): void {
    const a = this.#adopted
    if (a === undefined) return
    this.#adopted = undefined
    this.#joined = a.joined
    const old = [...a.before.nodes()].filter((n) => n.meta.height > 0)
    const gone = old.filter((n) => !a.before.isMain(n) || n.meta.height > a.fork)
    for (const n of gone) n.removed = true
    const settled = old.filter((n) => !n.removed)
    const near = Math.max(0, a.below.length - this.#depths.metas)
    this.#store.putBase({ base: this.#tree.base.meta, head: this.head(), far: a.below.slice(0, near), near: a.below.slice(near), joined: a.joined, settled: settled.map((n) => n.meta), gone: gone.map(place) })
    this.#log.info('chain', `goes on from block ${this.#tree.base.meta.height}: what lies below is known by its headers`)
  }

  /** Back to the chain there was before. */
  #abandon (a: Adopted): void {
    this.#adopted = undefined
    const gone = [...this.#tree.nodes()].filter((n) => n.key !== a.base)
    for (const n of gone) n.removed = true
    this.#store.remove(gone)
    const removed = records(this.#tree.mainAbove(this.#tree.base.meta.height))
    this.#tree = a.before
    const head = this.#tree.head.meta
    this.#events.emit('head', { head, removed, added: records(this.#tree.mainAbove(a.fork)) })
    this.#removeCarriers(this.#condemned, 'seals a contribution that was proved wrong meanwhile')
  }

  /** This block and what stands on it is not believed any more; it may come again. */
  distrust (hash: Uint8Array): void {
    if (this.#adopted?.base === toHex(hash)) return this.#abandon(this.#adopted)
    const n = this.#tree.get(toHex(hash))
    if (n !== undefined) this.#remove(n)
  }

  markReplayed (hash: Uint8Array): void {
    const n = this.#tree.get(toHex(hash))
    if (n === undefined || n.checked !== 'ledger') return
    n.checked = 'replayed'
    this.#store.update(n)
    const change = this.#tree.reconsider()
    if (change !== undefined) this.#headMoved(change)
    else this.#follow()
    const r = record(n)
    if (r !== undefined) this.#events.emit('checked', r)
  }

  /** With a refusal the block is remembered as refused; without, it may come again. */
  #remove (root: TreeNode, refusal?: Refusal): void {
    const { gone, change } = this.#tree.remove(root)
    if (gone.length === 0) return
    this.#log.warn('chain', `${gone.length} blocks from height ${root.meta.height} dropped${refusal === undefined ? '' : `: ${refusal.reason}`}`)
    if (refusal !== undefined) {
      for (const n of gone) this.#refused.set(n.key, refusal)
    }
    this.#store.remove(gone)
    if (change === undefined) return
    this.#headMoved(change)
    this.#leadAgain()
  }

  // --- restart

  /** Restores what was stored; says what had to be cut off. Before start(). */
  async loadFromStorage (): Promise<{ readonly height: number, readonly problem?: string }> {
    this.#condemned = await this.#store.loadCondemned()
    this.#joined = await this.#store.joined()
    const top = await this.#store.topHeight()
    if (top === undefined) return { height: 0 }
    // Older snapshots are of what was followed before: the blocks between were never here.
    const least = this.#joined?.height ?? 0
    const wanted = Math.max(least, top - this.#params.historyBlocks)
    const branch = await this.#store.branch(Math.max(0, wanted - SNAPSHOT_BLOCKS))
    const loaded = await loadBase(this.#store, { genesis: this.#genesis, metas: this.#depths.metas, wanted, least, top, branch })
    this.#tree = new BlockTree(loaded ?? this.#genesisNode(), this.#params.joinReplayBlocks, this.#params.maturity, undoneBlocks(this.#params))
    const base = this.#tree.base.meta.height
    if (base < least) this.#joined = undefined
    const bad: Place[] = []
    let problem: string | undefined
    // The chain that was followed comes first: the others have to win against it, as they had to before.
    const followed = await this.#store.branch(base + 1)
    for await (const b of this.#store.blocksAbove(base, followed.has(base + 1) ? followed : new Map())) {
      const why = this.#restore(b, top, followed)
      if (why === undefined) continue
      bad.push({ height: b.height, key: b.key })
      // A side branch that forks off below the base is no damage, nor what was taken on trust and not proved.
      if (b.height > top || (branch.get(b.height) ?? b.key) !== b.key) continue
      problem ??= `stored block ${b.height} ${b.key.slice(0, 8)} is damaged (${why}); the chain goes on from block ${this.head().height}`
    }
    this.#store.forget(bad)
    await settleBelow(this.#store, this.#tree.base.meta)
    if (problem !== undefined) this.#log.warn('storage', problem)
    this.#log.info('chain', `restored up to block ${this.head().height}`)
    return { height: this.head().height, problem }
  }

  /** What is wrong with it, if anything. Own stored blocks were verified when they came. */
  #restore (b: StoredBlock, top: number, followed: ReadonlyMap<number, Hex>): string | undefined {
    if (!b.ok) return b.detail
    const { header, checked } = b.stored
    const parent = this.#tree.get(toHex(header.template.parent))
    if (parent === undefined) return 'its parent is missing'
    const applied = reapply(this.#rules, this.#params, parent.meta, b, this.#wrongFor({ mode: 'full', ripe: header.template.height <= top - this.#params.maturity }))
    if (typeof applied === 'string') return applied
    // What was taken on trust above the chain that was followed is here, and what it took from the pool, and leads no more.
    this.#tree.insert(treeNode({ meta: applied.meta, body: b.body, events: applied.events, checked, condemned: carries(b.body, this.#condemned) }), checked !== 'ledger' || followed.get(b.height) === b.key)
    return undefined
  }

  #genesisNode (): TreeNode { return treeNode({ meta: this.#genesis, body: { transactions: [], seals: [] }, events: [], checked: 'own' }) }
}

interface Name {
  readonly id: Hex
  /** Variant: id, signature and body. The id commits to neither of the two. */
  readonly key: string
  readonly root: Uint8Array
  readonly attempts: number
}

const HEADER_RULES: ReadonlySet<string> = new Set(HEADER_REASONS)
const orphan = (detail: string): Refusal => refusal('orphan', 'header-parent', detail)
const short = (hash: Uint8Array): string => toHex(hash.subarray(0, 4))
const place = (n: TreeNode): Place => ({ height: n.meta.height, key: n.key })
