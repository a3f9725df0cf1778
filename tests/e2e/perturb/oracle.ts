/**
 * What is true, from what was seen: every block that any tab has shown or any disk has held, the
 * ledger after each of them by the pure rules alone, and for every tab what it has shown and promised.
 */
import { ContainerType } from '@chainsafe/ssz'
import { Bytes32, equalBytes, fromHex, toHex, U256, U8 } from '../../../src/core/codec/ssz.ts'
import { Body, Claim } from '../../../src/core/codec/wire.ts'
import { applyBlock, blockSignatureItems } from '../../../src/core/consensus/apply.ts'
import { type BlockMeta, genesis } from '../../../src/core/consensus/chain.ts'
import { bodyRoot, claimId, transactionId } from '../../../src/core/crypto/ids.ts'
import { account } from '../../../src/core/ledger/state.ts'
import { TEST } from '../../../src/core/params.ts'
import type { Report, Shown } from './inPage.ts'

/** As src/node/persist.ts lays a header down; written here again, so that a change of one shows. */
export const StoredHeader = new ContainerType({ header: Claim, work: U256, rho: Bytes32, checked: U8 })

export interface KnownBlock {
  readonly hash: string
  readonly height: number
  readonly parent: string
  readonly miner: string
  claim?: Claim
  body?: Body
  transactions?: ReadonlySet<string>
  meta?: BlockMeta
}

/** A database of a profile: one slot of it, whichever tab holds that at the time. */
export interface Identity {
  readonly profile: number
  readonly slot: number
  readonly database: string
  readonly miner: string
  readonly key: string
  shown: Shown | undefined
  /** When each block was shown first, ms. */
  readonly shownAt: Map<string, number>
  /** Transfers whose user was told that they are sent. */
  readonly acknowledged: Map<string, number>
  /** Where the tab stood still last, ms. */
  still: { readonly from: number, to: number } | undefined
  /** When its tab died, ms, as long as no other has taken its slot: a tab that comes back too soon after finds the slot held and takes another. */
  diedAt: number | undefined
  /** It was told to mine, and so must go on with it by itself. */
  hired: boolean
}

export interface Ledger { readonly balance: bigint, readonly maturing: bigint, readonly nonce: number }

export class Oracle {
  readonly blocks = new Map<string, KnownBlock>()
  readonly genesis = genesis(TEST)
  readonly #byMiner = new Map<string, Set<string>>()
  /** Contributions by miner, job, round and slice: what each of its ids says. */
  readonly #slices = new Map<string, Map<string, { readonly claim: Claim, readonly height: number }>>()
  top = 0

  constructor () {
    const hash = toHex(this.genesis.hash)
    this.blocks.set(hash, { hash, height: 0, parent: '', miner: '', meta: this.genesis })
  }

  /** A tab has shown it. */
  saw (b: Extract<Report, { kind: 'block' }>['block']): void {
    if (!this.blocks.has(b.hash)) this.#add({ hash: b.hash, height: b.height, parent: b.parent, miner: b.miner })
  }

  /** What is wrong with a stored block, if anything. */
  take (key: string, headerBytes: Uint8Array, bodyBytes: Uint8Array | undefined): string | undefined {
    const hash = key.slice(-64)
    const { header } = StoredHeader.deserialize(headerBytes)
    if (toHex(claimId(header)) !== hash) return 'its header has another hash'
    const t = header.template
    let known = this.blocks.get(hash)
    if (known === undefined) this.#add(known = { hash, height: t.height, parent: toHex(t.parent), miner: toHex(t.miner) })
    if (known.claim === undefined) {
      known.claim = header
      this.#claim(header)
    }
    if (bodyBytes === undefined || known.body !== undefined) return undefined
    const body = Body.deserialize(bodyBytes)
    if (!equalBytes(bodyRoot(body), t.bodyRoot)) return 'its body has another root'
    known.body = body
    known.transactions = new Set(body.transactions.map(tx => toHex(transactionId(tx.transaction))))
    for (const { seal } of body.seals) for (const c of seal.contributions) this.#claim(c)
    return undefined
  }

  #add (b: KnownBlock): void {
    this.blocks.set(b.hash, b)
    this.top = Math.max(this.top, b.height)
    const own = this.#byMiner.get(b.miner) ?? new Set()
    this.#byMiner.set(b.miner, own.add(b.hash))
  }

  minedBy (miner: string): KnownBlock[] { return [...this.#byMiner.get(miner) ?? []].map(hash => this.blocks.get(hash)!) }

  // --- the slices each key has worked on in public

  #claim (claim: Claim): void {
    const { miner, job, round } = claim.template
    const name = `${toHex(miner)} ${toHex(job)}/${round} ${claim.slice}`
    const ids = this.#slices.get(name) ?? new Map<string, { readonly claim: Claim, readonly height: number }>()
    this.#slices.set(name, ids.set(toHex(claimId(claim)), { claim, height: claim.template.height }))
  }

  /** Slices worked on twice under templates of one height: no round is begun again so soon. */
  reusedSlices (): string[] {
    return [...this.#slices].flatMap(([name, ids]) => {
      const heights = [...ids.values()].map(c => c.height)
      return new Set(heights).size < heights.length ? [name] : []
    })
  }

  claimsOf (miner: string, above: number): Claim[] {
    return [...this.#slices].flatMap(([name, ids]) => name.startsWith(miner) ? [...ids.values()].filter(c => c.height > above).map(c => c.claim) : [])
  }

  // --- the ledger

  /** The block with its ledger, once it and all before it were on some disk. */
  meta (hash: string): BlockMeta | undefined {
    const path: KnownBlock[] = []
    let at = this.blocks.get(hash)
    while (at !== undefined && at.meta === undefined) {
      if (at.claim === undefined || at.body === undefined) return undefined
      path.push(at)
      at = this.blocks.get(at.parent)
    }
    for (const b of path.reverse()) {
      const parent = this.blocks.get(b.parent)!.meta!
      const block = { header: b.claim!, body: b.body! }
      const applied = applyBlock(TEST, parent, block, {
        nowMs: b.claim!.template.time,
        signatures: blockSignatureItems(TEST, parent, block).map(() => true),
        replay: { kind: 'skipped' },
        seals: block.body.seals.map(() => ({ kind: 'skipped' })),
        wrongContributions: new Set()
      })
      if (!applied.ok) throw new Error(`block ${b.height} ${b.hash.slice(0, 8)} breaks a rule: ${applied.refusal.reason}, ${applied.refusal.detail}`)
      b.meta = applied.meta
    }
    return this.blocks.get(hash)?.meta
  }

  /** What an account has after that block. */
  ledger (hash: string, key: string): Ledger | undefined {
    const meta = this.meta(hash)
    if (meta === undefined) return undefined
    const bytes = fromHex(key, 32)!
    const { balance, nonce } = account(meta.ledger, bytes)
    return { balance, nonce, maturing: meta.ledger.maturing.filter(m => equalBytes(m.account, bytes)).reduce((n, m) => n + m.amount, 0n) }
  }

  /** A block and those before it, newest first. */
  * branch (hash: string, most: number): Generator<KnownBlock> {
    let b = this.blocks.get(hash)
    for (let i = 0; i < most && b !== undefined && b.height > 0; i++) {
      yield b
      b = this.blocks.get(b.parent)
    }
  }

  contains (hash: string, transaction: string, most: number): boolean {
    for (const b of this.branch(hash, most)) if (b.transactions?.has(transaction) === true) return true
    return false
  }
}
