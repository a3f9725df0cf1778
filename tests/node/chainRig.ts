/**
 * One node's chain with everything slow replaced by facts a test controls: what a replay gives, what
 * a seal leads to, what time it is. Rules, signatures and storage are the real ones.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import type { JobSpec } from '../../src/core/codec/jobSpec.ts'
import type { Claim, SignedSeal } from '../../src/core/codec/wire.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { ticketWins } from '../../src/core/consensus/target.ts'
import { claimId, ticket } from '../../src/core/crypto/ids.ts'
import { verifyZip215 } from '../../src/core/crypto/keys.ts'
import { Chain } from '../../src/node/chain.ts'
import type { ChainLimits } from '../../src/node/held.ts'
import { RingLog } from '../../src/node/log.ts'
import type { Blame, ReplayOptions, ReplayService, StatesService } from '../../src/node/parts.ts'
import { ChainStore, ledgerLookBack } from '../../src/node/persist.ts'
import { type Refused } from '../../src/node/refusals.ts'
import { Verifier, type VerifyLimits } from '../../src/node/verify.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { SignatureItem, Signatures } from '../../src/ports/signatures.ts'
import type { Storage, StorageOp } from '../../src/ports/storage.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { ChainKit, tinySpec } from '../core/chainKit.ts'

/** Lets everything that is not a timer run. */
export async function settle (): Promise<void> { for (let i = 0; i < 6; i++) await new Promise((resolve) => { setImmediate(resolve) }) }

export class ManualClock implements Clock {
  #now: number
  #timers: Array<{ at: number, fn: () => void }> = []

  constructor (now: number) { this.#now = now }

  now (): number { return this.#now }

  after (ms: number, fn: () => void): () => void {
    const t = { at: this.#now + ms, fn }
    this.#timers.push(t)
    return () => { this.#timers = this.#timers.filter((x) => x !== t) }
  }

  /** Runs what comes due, in order, and what follows from it. */
  async advance (ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const due = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((t) => t !== due)
      this.#now = Math.max(this.#now, due.at)
      due.fn()
      await settle()
    }
    this.#now = end
    await settle()
  }
}

export class TestSignatures implements Signatures {
  checked = 0
  async verify (items: readonly SignatureItem[]): Promise<boolean[]> {
    this.checked += items.length
    return items.map((i) => verifyZip215(i.key, i.message, i.signature))
  }
}

/** Everything is as its miner says unless a test says otherwise. */
export class TestReplay implements ReplayService {
  readonly wrong = new Set<string>()
  readonly unavailable = new Set<string>()
  readonly replayed: string[] = []
  /** While set, replays wait for it. */
  gate: Promise<void> | undefined

  async replay (claim: Claim, _spec?: JobSpec, _priority?: string, o?: ReplayOptions): ReturnType<ReplayService['replay']> {
    const id = toHex(claimId(claim))
    o?.begun?.()
    await this.gate
    if (this.unavailable.has(id)) return { kind: 'unavailable', detail: 'a test says so' }
    this.replayed.push(id)
    const resultHash = this.wrong.has(id) ? hash('test-other') : claim.resultHash
    return { kind: 'done', resultHash, payloadDigest: claim.payloadDigest, elapsedMs: 1 }
  }
}

export class TestStates implements Pick<StatesService, 'sealState' | 'told'> {
  unavailable = false
  badPayload = false
  asked = 0
  async sealState (_: unknown, signed: SignedSeal): ReturnType<StatesService['sealState']> {
    this.asked++
    if (this.unavailable) return { kind: 'unavailable', detail: 'a test says so' }
    if (this.badPayload) return { kind: 'bad-payload', detail: 'a test says so', contribution: claimId(signed.seal.contributions[0]) }
    return { kind: 'done', stateHash: signed.seal.stateHash }
  }

  told (): void {}
}

/** A storage whose commits wait for release(). */
export function gatedStorage (): { readonly storage: MemoryStorage, readonly release: () => void } {
  let release = (): void => {}
  const gate = new Promise<void>(resolve => { release = resolve })
  class Gated extends MemoryStorage {
    override async commit (ops: readonly StorageOp[]): Promise<void> {
      await gate
      await super.commit(ops)
    }
  }
  return { storage: new Gated(new MemoryDisk()), release: () => { release() } }
}

export interface Rig {
  readonly kit: ChainKit
  readonly clock: ManualClock
  readonly chain: Chain
  readonly store: ChainStore
  readonly verifier: Verifier
  readonly replay: TestReplay
  readonly states: TestStates
  readonly signatures: TestSignatures
  readonly log: RingLog
  readonly blame: Pick<Blame, 'refuse'>
  /** What was refused, where the test brings no blame of its own. */
  readonly refused: Refused[]
}

export interface RigOptions {
  readonly blame?: (log: RingLog) => Pick<Blame, 'refuse'>
  readonly kit?: ChainKit
  readonly clock?: ManualClock
  readonly storage?: Storage
  readonly limits?: ChainLimits
  readonly verifyLimits?: VerifyLimits
  readonly bodyBytesMax?: number
}

/** Whether a slice whose block is not here is as claimed. */
export async function redo ({ replay }: Rig, claim: Claim): Promise<'right' | 'wrong' | 'unavailable'> {
  if (!ticketWins(claim.template.target, sliceCost(tinySpec), ticket(claim))) return 'wrong'
  const redone = await replay.replay(claim)
  if (redone.kind !== 'done') return 'unavailable'
  return toHex(redone.resultHash) === toHex(claim.resultHash) ? 'right' : 'wrong'
}

/** Just after the last block of a kit chain of this length is due. */
export const kitTime = (kit: ChainKit, height: number): number => 1_000_000_000_000 + height * kit.params.blockIntervalMs

export function rig (o: RigOptions = {}): Rig {
  const kit = o.kit ?? new ChainKit()
  const clock = o.clock ?? new ManualClock(kitTime(kit, 400))
  const log = new RingLog(clock)
  log.setLevel('debug')
  const refused: Refused[] = []
  const blame = o.blame?.(log) ?? { refuse: (r: Refused) => { refused.push(r) } }
  const store = new ChainStore({ storage: o.storage ?? new MemoryStorage(new MemoryDisk()), clock, log, lookBack: ledgerLookBack(kit.params), empty: kit.genesis.ledger, bodyBytesMax: o.bodyBytesMax })
  const chain = new Chain({ params: kit.params, genesis: kit.genesis, clock, store, log, blame, limits: o.limits })
  const replay = new TestReplay()
  const states = new TestStates()
  const signatures = new TestSignatures()
  const verifier = new Verifier({ params: kit.params, clock, signatures, replay, states, limits: o.verifyLimits })
  chain.start(verifier)
  return { kit, clock, chain, store, verifier, replay, states, signatures, log, blame, refused }
}
