/**
 * From a block to a verdict: gathers the slow facts (signatures, the next states of its seals, the
 * replay of its slice) and then calls the pure rule with them. Cheap facts first: nothing is replayed
 * for a block that the rules refuse without it, nor for one that would not lead if its work were right
 * (as Bitcoin Core connects no block but of the best chain): a device that redid all siblings as they
 * come would fall behind a chain that it could follow, and every tab would rest from them when it might mine.
 *
 * Bounded: so many blocks at once, so many waiting, so many of one peer.
 */
import type { Block, SignedSeal } from '../core/codec/wire.ts'
import { type applyBlock, BLOCK_RULES, type BlockRules } from '../core/consensus/apply.ts'
import { type BlockMeta, compareChains, type HeaderMeta } from '../core/consensus/chain.ts'
import { isNews, type Refusal, refusal } from '../core/consensus/refusal.ts'
import type { SignatureItem } from '../core/crypto/keys.ts'
import type { LedgerEvent } from '../core/ledger/apply.ts'
import { findJob, type LedgerState } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerId } from '../ports/network.ts'
import type { Signatures } from '../ports/signatures.ts'
import type { BlockRecord, Hex, ReplayService, StatesService } from './parts.ts'

/**
 * full: everything is redone here. own: made here, so its slice is not redone. ledger: too old for
 * the join window; rules, ledger and signatures are checked, the work is taken as given.
 */
export type Mode = 'full' | 'own' | 'ledger'

const CHECKED: Readonly<Record<Mode, BlockRecord['checked']>> = { full: 'replayed', own: 'own', ledger: 'ledger' }

export type Verified =
  | { readonly ok: true, readonly meta: BlockMeta, readonly events: readonly LedgerEvent[], readonly checked: BlockRecord['checked'] }
  /** `letGo`: it was not looked at, and is not worth another try: who else has it will bring it. */
  | { readonly ok: false, readonly refusal: Refusal, readonly letGo?: true }
  /**
   * Nothing was found wrong with it, but not all was looked at, nor its work: it would not lead. `by`: blocks that are being
   * redone, where only they outdo it; if they come to nothing, it leads.
   */
  | { readonly ok: false, readonly refusal: Refusal, readonly outdone: true, readonly by: readonly HeaderMeta[] }

/** Blocks of one peer that are being verified or wait for it. `wrong`: one of them was refused by a rule. */
interface Line { length: number, last: Promise<void>, wrong: boolean }

/**
 * What becomes of a block with which nothing is wrong but what only redoing its work could show: it is
 * redone, and whoever brought it answers for it or does not; or it is let go.
 */
export type OnSound = () => 'answers' | 'forgiven' | 'let-go'

export interface VerifyOptions {
  readonly mode: Mode
  /** What it has to beat for its work to be redone; undefined: it is redone whatever comes of it. */
  readonly head?: () => HeaderMeta | undefined
  /** Those that were being redone when it came have had their verdict: the head alone is to be beaten. */
  readonly waited?: true
  /** Contributions proved wrong; read at the end, so that a proof that comes meanwhile counts. */
  readonly wrong: ReadonlySet<Hex>
  /** Who handed it to us: it has what the block refers to. */
  readonly via?: PeerId
  readonly onSound?: OnSound
}

export interface VerifyLimits { readonly running: number, readonly waiting: number, readonly perPeer: number }
export const VERIFY_LIMITS: VerifyLimits = { running: 4, waiting: 64, perPeer: 12 }
const NONE_WRONG: ReadonlySet<Hex> = new Set()
/** A tenth of a second of the slow engine. */
export const SIGNATURES_AT_ONCE = 64

type SealFact = Parameters<typeof applyBlock>[3]['seals'][number]
type ReplayFact = Parameters<typeof applyBlock>[3]['replay']

export class Verifier {
  readonly #params: ChainParams
  readonly #clock: Pick<Clock, 'now'>
  readonly #signatures: Signatures
  readonly #replay: ReplayService
  readonly #states: Pick<StatesService, 'sealState' | 'told'>
  readonly #limits: VerifyLimits
  readonly #rules: BlockRules
  readonly #lines = new Map<PeerId, Line>()
  readonly #queue: Array<() => void> = []
  /** Of those that came by gossip: whose slices are being redone. */
  readonly #redoing = new Set<HeaderMeta>()
  #running = 0

  constructor (d: {
    readonly params: ChainParams
    readonly clock: Pick<Clock, 'now'>
    readonly signatures: Signatures
    readonly replay: ReplayService
    readonly states: Pick<StatesService, 'sealState' | 'told'>
    readonly limits?: VerifyLimits
    readonly rules?: BlockRules
  }) {
    this.#params = d.params
    this.#clock = d.clock
    this.#signatures = d.signatures
    this.#replay = d.replay
    this.#states = d.states
    this.#limits = d.limits ?? VERIFY_LIMITS
    this.#rules = d.rules ?? BLOCK_RULES
  }

  /** Blocks being verified and waiting to be. */
  get load (): number { return this.#running + this.#queue.length }

  async verify (parent: BlockMeta, block: Block, o: VerifyOptions): Promise<Verified> {
    const peer = o.mode === 'own' ? undefined : o.via
    const line = peer === undefined ? undefined : this.#lines.get(peer) ?? { length: 0, last: Promise.resolve(), wrong: false }
    if (this.#queue.length >= this.#limits.waiting || (line !== undefined && line.length >= this.#limits.perPeer)) {
      return { ok: false, refusal: refusal('unavailable', 'replay-unavailable', `${this.load} blocks wait to be verified`) }
    }
    if (peer === undefined || line === undefined) return await this.#inTurn(parent, block, o)
    this.#lines.set(peer, line)
    return await this.#inLine(peer, line, o, async options => await this.#inTurn(parent, block, options))
  }

  /**
   * Blocks of one peer are verified one after another, and a wrong one ends the line: a forged block
   * costs its maker a few hashes and this node a replay, so who brings many shall get one of them. One for
   * which its bearer does not answer says nothing of the rest of what he brings.
   */
  async #inLine (peer: PeerId, line: Line, o: VerifyOptions, verify: (o: VerifyOptions) => Promise<Verified>): Promise<Verified> {
    const before = line.last
    let done = (): void => {}
    line.last = new Promise<void>((resolve) => { done = resolve })
    line.length++
    try {
      await before
      if (line.wrong) return { ok: false, letGo: true, refusal: refusal('unavailable', 'replay-unavailable', 'whoever brought it has just brought a wrong one') }
      let answers = true
      const verified = await verify({
        ...o,
        onSound: () => {
          const verdict = o.onSound?.() ?? 'answers'
          answers = verdict === 'answers'
          return verdict
        }
      })
      line.wrong = answers && !verified.ok && verified.refusal.verdict === 'invalid' && !isNews(verified.refusal)
      return verified
    } finally {
      done()
      if (--line.length === 0) this.#lines.delete(peer)
    }
  }

  /** Own blocks do not queue behind those of strangers. */
  async #inTurn (parent: BlockMeta, block: Block, o: VerifyOptions): Promise<Verified> {
    if (this.#running >= this.#limits.running && o.mode !== 'own') await new Promise<void>((resolve) => { this.#queue.push(resolve) })
    this.#running++
    try {
      return await this.#verify(parent, block, o)
    } finally {
      this.#running--
      this.#queue.shift()?.()
    }
  }

  async #verify (parent: BlockMeta, block: Block, o: VerifyOptions): Promise<Verified> {
    const items = this.#rules.blockSignatureItems(this.#params, parent, block)
    const apply = (signatures: readonly boolean[]): ReturnType<typeof applyBlock> =>
      this.#rules.applyBlock(this.#params, parent, block, { nowMs: this.#clock.now(), signatures, replay: { kind: 'skipped' }, seals: block.body.seals.map(() => ({ kind: 'skipped' })), wrongContributions: o.wrong })

    // What its miner has not signed says nothing about him. The other signatures are dear: they come after the rules that ask for none.
    const [byMiner] = await this.#signatures.verify(items.slice(0, 1))
    const dry = apply(items.map(() => byMiner))
    if (!dry.ok) return verdict(dry, o.mode)
    const head = o.head?.()
    if (head !== undefined) {
      const isBehind = compareChains(head, dry.meta) > 0
      const by = isBehind || o.waited === true ? [] : [...this.#redoing].filter(other => compareChains(other, dry.meta) > 0)
      if (isBehind || by.length > 0) return { ok: false, outdone: true, by, refusal: refusal('unavailable', 'replay-unavailable', 'another block leads') }
    }
    const signatures = await this.#signed(items)
    if (signatures.includes(false)) return verdict(apply(signatures), o.mode)
    if (o.mode === 'ledger') {
      this.#states.told(block.body.seals)
      return verdict(dry, o.mode)
    }
    if (o.onSound?.() === 'let-go') return { ok: false, letGo: true, refusal: refusal('unavailable', 'replay-unavailable', 'its miner was caught with wrong work before') }
    return await this.#redone(parent, block, o, dry.meta.ledger, signatures)
  }

  /** What was taken on trust, its work: the states of its seals, and its slice. */
  async redo (parent: BlockMeta, block: Block, after: LedgerState): Promise<Verified> {
    return await this.#redone(parent, block, { mode: 'full', wrong: NONE_WRONG }, after, this.#rules.blockSignatureItems(this.#params, parent, block).map(() => true))
  }

  /** `after`: its ledger. All else has been checked. */
  async #redone (parent: BlockMeta, block: Block, o: VerifyOptions, after: LedgerState, signatures: readonly boolean[]): Promise<Verified> {
    const apply = (replay: ReplayFact, seals: readonly SealFact[]): ReturnType<typeof applyBlock> =>
      this.#rules.applyBlock(this.#params, parent, block, { nowMs: this.#clock.now(), signatures, replay, seals, wrongContributions: o.wrong })
    const seals = await this.#sealFacts(after, parent.ledger, block.body.seals, o.via)
    const sealed = apply({ kind: 'skipped' }, seals)
    if (!sealed.ok) return verdict(sealed, o.mode)
    // Only while the device has it: what it lacks may be long in coming, and must not hold up what ranks below it.
    const begun = (): void => { if (o.head !== undefined) this.#redoing.add(sealed.meta) }
    try {
      return verdict(apply(await this.#replayFact(after, block, o.mode, begun), seals), o.mode)
    } finally {
      this.#redoing.delete(sealed.meta)
    }
  }

  /** All but the first, which has been looked at. Some at a time: where one is wrong the block is, and those after it are not looked at. A few hashes make a block that names thousands. */
  async #signed (items: readonly SignatureItem[]): Promise<boolean[]> {
    const right = [true]
    while (right.length < items.length && !right.includes(false)) right.push(...await this.#signatures.verify(items.slice(right.length, right.length + SIGNATURES_AT_ONCE)))
    while (right.length < items.length) right.push(false)
    return right
  }

  /** One after another: each state is the start of the next. */
  async #sealFacts (after: LedgerState, before: LedgerState, seals: readonly SignedSeal[], via: PeerId | undefined): Promise<SealFact[]> {
    const facts: SealFact[] = []
    for (const signed of seals) {
      const job = findJob(after, signed.seal.job) ?? findJob(before, signed.seal.job)
      const missing = facts.find((f) => f.kind !== 'done')
      if (missing !== undefined || job === undefined) facts.push(missing ?? { kind: 'unavailable', detail: 'the job has left the table' })
      else facts.push(await this.#states.sealState(job.spec, signed, via))
    }
    return facts
  }

  async #replayFact (after: LedgerState, block: Block, mode: Mode, begun: () => void): Promise<ReplayFact> {
    const { header } = block
    if (mode === 'own') return { kind: 'done', resultHash: header.resultHash, payloadDigest: header.payloadDigest }
    const job = findJob(after, header.template.job)
    if (job === undefined) return { kind: 'unavailable', detail: 'the job has left the table' }
    return await this.#replay.replay(header, job.spec, 'replay', { begun })
  }
}

function verdict (r: ReturnType<typeof applyBlock>, mode: Mode): Verified {
  return r.ok ? { ok: true, meta: r.meta, events: r.events, checked: CHECKED[mode] } : { ok: false, refusal: r.refusal }
}
