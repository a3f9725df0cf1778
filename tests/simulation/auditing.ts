/**
 * The auditor beside a running world: it gets every block that a node takes for part of its chain, as bytes, and
 * now and then what it says of its head and its ledger. Only what honest sound nodes take is to be right: a chain that
 * others alone have is not, but who joins by a ledger may go on from there.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import { Block, type Claim } from '../../src/core/codec/wire.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { encodeJobSpec } from '../../src/core/codec/jobSpec.ts'
import { encodeLedger } from '../../src/core/ledger/state.ts'
import { noiseKey } from '../../src/core/training/sampling.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import type { Node } from '../../src/node/node.ts'
import { Auditor } from './audit/auditor.ts'
import type { Violation } from './audit/violations.ts'
import type { World } from './world.ts'

export class Auditing {
  readonly #world: World
  readonly #auditor: Auditor
  readonly #fail: (checker: string, detail: string) => void
  readonly #seen = new Set<string>()
  /** Blocks that somebody took and that are right. */
  readonly #right = new Set<string>()

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
      if (this.#seen.has(id)) continue
      this.#seen.add(id)
      // Who is not honest may have had another copy of it.
      for (const v of this.#right.has(id) ? [] : this.#judge({ body, meta })) this.#fail(`audit: ${v.name}`, `block ${v.height} ${v.block.slice(0, 8)}, taken by tab ${tab}: ${v.evidence}`)
    }
  }

  /** Blocks that joined the main chain of a node that need not be right, oldest first. */
  heard (records: readonly BlockRecord[]): void {
    for (const r of records) if (!this.#right.has(toHex(r.meta.hash))) this.#judge(r)
  }

  #judge ({ body, meta }: Pick<BlockRecord, 'body' | 'meta'>): readonly Violation[] {
    const { violations } = this.#auditor.add(Block.serialize({ header: meta.header, body }))
    if (violations.length === 0) this.#right.add(toHex(meta.hash))
    return violations
  }

  /** What a node says of its head and of everybody's credits. */
  head (tab: number, node: Node): void {
    const { hash: id, height, ledger, work } = node.chain.head()
    if (height === 0) return
    for (const v of [...this.#auditor.head({ id: toHex(id), height, work }), ...this.#auditor.state(toHex(id), encodeLedger(ledger))]) {
      this.#fail(`audit: ${v.name}`, `head of tab ${tab}, block ${v.height} ${v.block.slice(0, 8)}: ${v.evidence}`)
    }
  }

  /** Where slices are real, every block up to `id` is redone, and the newest with their contributions. */
  replay (id: string, count: number): void {
    if (this.#world.options.compute !== 'real') return
    const { data } = this.#world
    const records = {
      features: Uint8Array.from(Array.from({ length: data.records }, (_, i) => [...data.features(i)]).flat()),
      labels: Uint8Array.from({ length: data.records }, (_, i) => data.label(i))
    }
    const chain = this.#auditor.chain(id)
    for (const [i, block] of chain.entries()) {
      const { violations } = this.#auditor.replay(block, { contributions: i >= chain.length - count, records: root => root === toHex(data.ref.root) ? records : undefined })
      for (const v of violations) this.#fail(`audit: ${v.name}`, `block ${v.height} ${v.block.slice(0, 8)}: ${v.evidence}`)
    }
  }

  /** What a stand-in slice gives is known from its key: a node that says it has redone one knows it, too. */
  #work (tab: number, claim: Claim, what: string): void {
    if (this.#world.options.compute !== 'stand-in') return
    const right = toHex(hash('sim-slice', noiseKey(claim.template, claim.slice)))
    if (toHex(claim.resultHash) !== right) this.#fail('audit: result-hash', `${what}, taken by tab ${tab}: ${toHex(claim.resultHash).slice(0, 16)} instead of ${right.slice(0, 16)}`)
  }
}
