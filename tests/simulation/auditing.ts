/**
 * The auditor beside a running world: it gets every block that a node takes for part of its chain, as bytes, and
 * now and then what it says of its head and its ledger. Only what honest sound nodes take is to be right: a chain that
 * others alone have is not, but who joins by a ledger may go on from there.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import { Block, Body, type Claim } from '../../src/core/codec/wire.ts'
import { encodeJobSpec } from '../../src/core/codec/jobSpec.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { encodeLedger } from '../../src/core/ledger/state.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import type { Node } from '../../src/node/node.ts'
import { Auditor } from './audit/auditor.ts'
import { H, hexOf } from './audit/bytes.ts'
import type { Rewards } from './audit/history.ts'
import { noiseKey, type Supply } from './audit/replay.ts'
import type { State } from './audit/states.ts'
import type { Violation } from './audit/violations.ts'
import type { Forgeries } from './forgeries.ts'
import type { World } from './world.ts'

/** What devices.ts gives for a slice where nobody trains: every parameter moves by a byte of the noise key's hash. */
export function standIn (state: State, noiseKey: Uint8Array): { readonly after: State, readonly resultHash: Uint8Array } {
  const resultHash = H('sim-slice', noiseKey)
  const move = (tensor: Int32Array): Int32Array => tensor.map((w, i) => w + (resultHash[i % 32] & 63) - 31)
  return { after: { ...state, weights: state.weights.map(move), biases: state.biases.map(move) }, resultHash }
}

export class Auditing {
  readonly #world: World
  readonly #auditor: Auditor
  readonly #fail: (checker: string, detail: string) => void
  readonly #seen = new Set<string>()
  /** Copies of blocks that somebody took and that are right. */
  readonly #right = new Set<string>()
  readonly #bodies = new WeakMap<Body, string>()

  constructor (world: World, fail: (checker: string, detail: string) => void) {
    this.#world = world
    this.#fail = fail
    this.#auditor = new Auditor(world.params, encodeJobSpec(world.spec), undefined, world.offerShare)
    if (this.#auditor.genesis.id !== toHex(world.genesis.hash)) throw new Error('the auditor begins from another block')
  }

  get blocks (): number { return this.#auditor.blockCount }

  /** Blocks that joined a node's main chain, oldest first. */
  added (tab: number, records: readonly BlockRecord[]): void {
    for (const { body, checked, meta } of records) {
      const id = toHex(meta.hash)
      if (checked !== 'ledger' && !this.#seen.has(`redone ${id}`)) {
        this.#seen.add(`redone ${id}`)
        this.#work(tab, meta.header, `block ${meta.height} ${id.slice(0, 8)}`)
      }
      const copy = this.#copy({ body, meta })
      if (this.#seen.has(copy)) continue
      this.#seen.add(copy)
      for (const v of this.#right.has(copy) ? [] : this.#judge({ body, meta })) this.#fail(`audit: ${v.name}`, `block ${v.height} ${v.block.slice(0, 8)}, taken by tab ${tab}: ${v.evidence}`)
    }
  }

  /** Blocks that joined the main chain of a node that need not be right, oldest first. */
  heard (records: readonly BlockRecord[]): void {
    for (const r of records) if (!this.#right.has(this.#copy(r))) this.#judge(r)
  }

  #judge ({ body, meta }: Pick<BlockRecord, 'body' | 'meta'>): readonly Violation[] {
    const { violations } = this.#auditor.add(Block.serialize({ header: meta.header, body }))
    if (violations.length === 0) this.#right.add(this.#copy({ body, meta }))
    return violations
  }

  /** A block's id says nothing of its signature, and it may come with another's body. */
  #copy ({ body, meta }: Pick<BlockRecord, 'body' | 'meta'>): string {
    let bytes = this.#bodies.get(body)
    if (bytes === undefined) this.#bodies.set(body, bytes = hexOf(H('sim-body', Body.serialize(body))))
    return `${toHex(meta.hash)} ${toHex(meta.header.signature)} ${bytes}`
  }

  /** What a node says of its head and of everybody's credits. */
  head (tab: number, node: Node): void {
    const { hash: id, height, ledger, work } = node.chain.head()
    if (height > 0) this.#ofHead(tab, [...this.#auditor.head({ id: toHex(id), height, work }), ...this.#auditor.state(toHex(id), encodeLedger(ledger))])
  }

  /** Whether a node's head may be that beside what else it holds. */
  choice (tab: number, { chain }: Pick<Node, 'chain'>): void {
    const rivals = this.#rivals(chain)
    if (rivals.length > 0) this.#ofHead(tab, this.#auditor.headAmong(toHex(chain.head().hash), rivals))
  }

  #ofHead (tab: number, violations: readonly Violation[]): void {
    for (const v of violations) this.#fail(`audit: ${v.name}`, `head of tab ${tab}, block ${v.height} ${v.block.slice(0, 8)}: ${v.evidence}`)
  }

  /** Blocks beside a node's main chain that may lead: all on their branch is redone, and none of it was condemned. */
  #rivals (chain: Node['chain']): string[] {
    const beside = new Map(chain.offMain().sort((a, b) => a.meta.height - b.meta.height).map(r => [toHex(r.meta.hash), r]))
    const condemned = chain.condemnedContributions()
    const may = new Set<string>()
    for (const [id, r] of beside) {
      const parent = toHex(r.meta.header.template.parent)
      const follows = beside.has(parent) ? may.has(parent) : chain.isMain(r.meta.header.template.parent)
      if (!follows || r.checked === 'ledger' || r.body.seals.some(({ seal }) => seal.contributions.some(c => condemned.has(toHex(claimId(c)))))) continue
      if (this.#right.has(this.#copy(r)) || this.#judge(r).length === 0) may.add(id)
    }
    return [...may]
  }

  /** Ids of the contributions that the chain up to `id` has sealed, so many blocks below it or deeper. */
  sealed (id: string, depth: number): ReadonlySet<string> { return this.#auditor.sealed(id, depth) }

  /** What every miner of the chain up to `id` did and was credited, by its key in hex. */
  rewards (id: string): Rewards { return this.#auditor.rewards(id) }

  /**
   * Every block up to `id` is redone, with what it seals and the states that its seals define. `known`: contributions
   * that are known to be wrong and may have come through by chance, and what was given out as their payloads.
   */
  replay (id: string, known: Pick<Forgeries, 'has' | 'payload'>): void {
    const { data } = this.#world
    const records = {
      features: Uint8Array.from(Array.from({ length: data.records }, (_, i) => [...data.features(i)]).flat()),
      labels: Uint8Array.from({ length: data.records }, (_, i) => data.label(i))
    }
    const supply: Supply = {
      records: root => root === toHex(data.ref.root) ? records : undefined, payload: digest => known.payload(digest), contributions: c => !known.has(c),
      ...(this.#world.options.compute === 'stand-in' ? { standIn } : {})
    }
    for (const block of this.#auditor.chain(id)) {
      const { unchecked, violations } = this.#auditor.replay(block, supply)
      for (const v of violations) this.#fail(`audit: ${v.name}`, `block ${v.height} ${v.block.slice(0, 8)}: ${v.evidence}`)
      for (const what of unchecked) this.#fail('audit: unchecked', `block ${block.slice(0, 8)}: ${what}`)
    }
  }

  /** What a stand-in slice gives is known from its key: a node that says it has redone one knows it, too. */
  #work (tab: number, claim: Claim, what: string): void {
    if (this.#world.options.compute !== 'stand-in') return
    const right = hexOf(H('sim-slice', noiseKey(claim.template, claim.slice)))
    if (toHex(claim.resultHash) !== right) this.#fail('audit: result-hash', `${what}, taken by tab ${tab}: ${toHex(claim.resultHash).slice(0, 16)} instead of ${right.slice(0, 16)}`)
  }
}
