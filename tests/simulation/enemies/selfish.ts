/**
 * Selfish mining (Eyal and Sirer 2013, algorithm 1) by a pool of tabs. What a member finds stays in
 * the pool, and is published when the others come near: one behind, all of it; further behind, as
 * much as they have. What the others find, the pool's nodes learn only when the pool gives in.
 *
 * Here a tie goes to the lower ticket, and whoever holds a ticket knows how low it is: with a
 * `threshold` below 1 the pool keeps back only blocks whose ticket is in that lowest part, and if it
 * is not `stubborn` it leaves a tie that it loses at once. 1 and stubborn is the machine of the paper.
 */
import { toHex } from '../../../src/core/codec/ssz.ts'
import { type Claim, WORK_CLAIM } from '../../../src/core/codec/wire.ts'
import { bytesToNumberBE, compareChains, type HeaderMeta } from '../../../src/core/consensus/chain.ts'
import { extendHeader } from '../../../src/core/consensus/header.ts'
import { ticketBound } from '../../../src/core/consensus/target.ts'
import { claimId } from '../../../src/core/crypto/ids.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import type { GossipMessage } from '../../../src/ports/network.ts'
import type { Tab } from '../tab.ts'
import { curtainTaps } from './curtain.ts'
import { Deeds, type Squad } from './squad.ts'
import { headerOf, isBlocks, isWork, TappedNetwork, workMessage } from './tap.ts'
import { isWinner } from './withholdBlocks.ts'

/** Headers the pool remembers. */
const KEPT = 4096

export interface SelfishOptions {
  /** Part of the winning tickets, from the lowest, that is kept back. */
  readonly threshold: number
  /** Goes on on its own block after a tie that the ticket has lost. */
  readonly stubborn: boolean
}

interface Member { readonly tab: Tab, readonly network: TappedNetwork }
interface Private { readonly meta: HeaderMeta, readonly message: GossipMessage, readonly by: Member, published: boolean }

export class SelfishPool {
  readonly deeds: Deeds
  readonly #o: SelfishOptions
  readonly #members = new Map<string, Member>()
  readonly #known = new Map<string, HeaderMeta>()
  /** Blocks of others that the pool's nodes have not been told of. */
  #held: GossipMessage[] = []
  /** The pool's branch above the last block it shares with the others. */
  #branch: Private[] = []
  /** Best chain of which everybody can know. */
  #public: HeaderMeta | undefined
  /** Both sides of a tie are out and the pool goes on on its own. */
  #racing = false

  constructor (deeds: Deeds, o: SelfishOptions) {
    this.deeds = deeds
    this.#o = o
  }

  join (tab: Tab, network: TappedNetwork): void {
    const { hub } = tab.world.internet
    const id = tab.session!.id
    // A page that was loaded again is another peer.
    for (const [old, m] of this.#members) if (m.tab === tab) this.#members.delete(old)
    for (const other of this.#members.keys()) if (this.#members.get(other)!.tab.session?.id === other) hub.connect(id, other)
    this.#members.set(id, { tab, network })
    // By whatever way a block came to its node: it is public, or the pool's own.
    tab.node?.chain.on('head', ({ added }) => { for (const r of added) this.#saw(r.meta) })
    this.#saw(tab.node?.chain.head())
  }

  isFriend (peer: string): boolean { return this.#members.has(peer) }
  isHidden (hash: Uint8Array): boolean { return this.#branch.some(b => !b.published && toHex(b.meta.hash) === toHex(hash)) }

  /** A member's node announces a block of its own, maybe again. */
  async found (tab: Tab, topic: string, bytes: Uint8Array, header: Claim): Promise<void> {
    const id = tab.session?.id
    const by = id === undefined ? undefined : this.#members.get(id)
    const meta = this.#meta(header)
    if (by === undefined || meta === undefined || this.#known.has(toHex(meta.hash))) return
    this.#keep(meta)
    const leadBefore = this.#lead()
    const message = { topic, bytes, origin: id!, via: id! }
    this.#branch.push({ meta, message, by, published: false })
    this.deeds.add('blocks found')
    for (const m of this.#members.values()) if (m !== by && m.tab.up) void m.network.inject(message)
    if (this.#racing) {
      this.deeds.add('ties decided by the pool')
      await this.#publish(Infinity)
      this.#settled(meta)
    } else if (leadBefore === 0 && this.#branch.length === 1 && !this.#worthHolding(tab, meta)) {
      this.deeds.add('blocks shown at once')
      await this.#publish(Infinity)
      this.#settled(meta)
    } else {
      this.deeds.add('blocks kept back')
    }
  }

  /** A member hears a block of somebody else: true if its node may hear it. */
  async heard (m: GossipMessage, header: Claim): Promise<boolean> {
    const meta = this.#meta(header)
    // The pool cannot place it: its node will find out.
    if (meta === undefined) return true
    const name = toHex(meta.hash)
    if (this.#branch.some(b => toHex(b.meta.hash) === name)) return false
    if (!this.#known.has(name)) {
      this.#keep(meta)
      if (this.#branch.length > 0) {
        this.#held.push(m)
        await this.#react(meta)
      } else this.#settled(meta)
    }
    return this.#branch.length === 0
  }

  #lead (): number {
    const tip = this.#branch.at(-1)?.meta
    return tip === undefined ? 0 : tip.height - (this.#public?.height ?? 0)
  }

  /** Others have lengthened, or tied, the public chain. */
  async #react (meta: HeaderMeta): Promise<void> {
    if (this.#public !== undefined && compareChains(meta, this.#public) <= 0 && meta.height <= this.#public.height) return
    const leadBefore = this.#lead()
    this.#public = meta
    const tip = this.#branch[this.#branch.length - 1].meta
    if (meta.work > tip.work || meta.height > tip.height) return this.#giveIn()
    if (leadBefore > 2) return await this.#publish(meta.height)
    await this.#publish(Infinity)
    if (meta.height < tip.height) return this.#settled(tip)
    // One against one: the ticket decides for all the others.
    const wins = compareChains(tip, meta) > 0
    this.deeds.add(wins ? 'ties with the lower ticket' : 'ties with the higher ticket')
    if (!this.#o.stubborn && !wins) return this.#giveIn()
    this.#racing = true
  }

  async #publish (upTo: number): Promise<void> {
    for (const b of this.#branch) {
      if (b.published || b.meta.height > upTo) continue
      b.published = true
      this.deeds.add('blocks published')
      if (b.by.tab.up) await b.by.network.inner.publish(b.message.topic, b.message.bytes)
    }
  }

  /** The public chain has won: the pool's nodes hear of it and go on there. */
  #giveIn (): void {
    this.deeds.add('blocks lost', this.#branch.length)
    this.#settled(this.#public)
  }

  #settled (meta: HeaderMeta | undefined): void {
    this.#branch = []
    this.#racing = false
    if (meta !== undefined && (this.#public === undefined || meta.work > this.#public.work || meta.height >= this.#public.height)) this.#public = meta
    for (const m of this.#held.splice(0)) for (const member of this.#members.values()) if (member.tab.up) void member.network.inject(m)
  }

  #saw (meta: HeaderMeta | undefined): void {
    if (meta === undefined || this.#known.has(toHex(meta.hash)) || this.#members.size === 0) return
    if ([...this.#members.values()].some(m => toHex(m.tab.minerKey) === toHex(meta.header.template.miner))) return
    this.#keep(meta)
    if (this.#branch.length > 0) void this.#react(meta)
    else this.#settled(meta)
  }

  #worthHolding (tab: Tab, meta: HeaderMeta): boolean {
    if (this.#o.threshold >= 1) return true
    const bound = ticketBound(meta.header.template.target, sliceCost(tab.world.spec))
    return Number(bytesToNumberBE(meta.ticket) * 1_000_000n / bound) / 1_000_000 < this.#o.threshold
  }

  #meta (header: Claim): HeaderMeta | undefined {
    const known = this.#known.get(toHex(claimId(header)))
    if (known !== undefined) return known
    const parent = this.#known.get(toHex(header.template.parent)) ?? this.#fromNodes(header.template.parent)
    return parent === undefined ? undefined : extendHeader(parent, header)
  }

  #fromNodes (hash: Uint8Array): HeaderMeta | undefined {
    for (const { tab } of this.#members.values()) {
      const meta = tab.node?.chain.meta(hash)
      if (meta !== undefined) return meta
    }
    return undefined
  }

  #keep (meta: HeaderMeta): void {
    this.#known.set(toHex(meta.hash), meta)
    if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value as string)
  }
}

export interface SelfishSquad extends Squad {
  /** Found by the pool and not published yet. */
  readonly isHidden: (hash: Uint8Array) => boolean
}

export function selfish (o: SelfishOptions = { threshold: 1, stubborn: true }): SelfishSquad {
  const deeds = new Deeds()
  const pool = new SelfishPool(deeds, o)
  const networks = new WeakMap<Tab, TappedNetwork>()
  return {
    name: 'selfish mining',
    deeds,
    isHidden: hash => pool.isHidden(hash),
    recruit: () => ({
      name: 'selfish mining',
      ports: (deps, tab) => {
        const network = new TappedNetwork(deps.network, {
          ...curtainTaps({ isHidden: hash => pool.isHidden(hash), isFriend: peer => pool.isFriend(peer), head: () => tab.node?.chain.head() }),
          publish: async (topic, bytes, pass) => {
            const header = isBlocks(topic) ? headerOf(bytes) : undefined
            if (header !== undefined) {
              await pool.found(tab, topic, bytes, header)
              return 0
            }
            const work = isWork(topic) ? workMessage(bytes) : undefined
            return work?.selector === WORK_CLAIM && isWinner(tab, work.value as Claim) ? 0 : await pass(bytes)
          },
          heard: async (m, pass) => {
            const header = isBlocks(m.topic) ? headerOf(m.bytes) : undefined
            if (header === undefined || await pool.heard(m, header)) return await pass(m)
            return 'ignore'
          }
        })
        networks.set(tab, network)
        return { ...deps, network }
      },
      started: tab => { pool.join(tab, networks.get(tab)!) }
    })
  }
}
