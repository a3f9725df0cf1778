/**
 * A miner of its own beside an unmodified node whose mining is off: it works on the parent it is told,
 * under the key and the time it is told, and hands over what wins. For enemies that do not mine where
 * or as an honest node would. It uses the tab's device, so it is as slow as the tab.
 */
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { Block, Claim } from '../../../src/core/codec/wire.ts'
import { assembleBlock } from '../../../src/core/consensus/assemble.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { eligible, randomnessBlock } from '../../../src/core/consensus/draw.ts'
import { extendHeader } from '../../../src/core/consensus/header.ts'
import { ticketWins } from '../../../src/core/consensus/target.ts'
import { claimId, ticket } from '../../../src/core/crypto/ids.ts'
import type { JobRecord } from '../../../src/core/ledger/state.ts'
import { SIGNATURE_BYTES } from '../../../src/core/params.ts'
import { sliceCost } from '../../../src/core/training/cost.ts'
import type { ModelState } from '../../../src/core/training/modelState.ts'
import { stateHash } from '../../../src/core/training/stateHash.ts'
import { sleep } from '../../../src/node/askPeers.ts'
import type { Node, NodeDeps } from '../../../src/node/node.ts'
import { sliceTask } from '../../../src/node/replay.ts'
import type { SliceResult } from '../../../src/ports/compute.ts'
import { nativeKeyOf } from '../remember.ts'
import type { Tab } from '../tab.ts'
import { tappedCompute } from './tap.ts'

const TEMPLATE_MS = 2_000
const RETRY_MS = 500
const STATES_KEPT = 32

/** Sees the model states that pass through a node's Compute, so that its tab can work on them. */
export class StateTap {
  readonly #states = new Map<string, ModelState>()

  compute (inner: NodeDeps['compute']): NodeDeps['compute'] {
    return {
      ...tappedCompute(inner, async (task, priority) => await inner.runSlice(task, priority)),
      evaluate: async task => {
        this.#states.set(toHex(stateHash(task.state)), task.state)
        if (this.#states.size > STATES_KEPT) this.#states.delete(this.#states.keys().next().value as string)
        return await inner.evaluate(task)
      }
    }
  }

  /** Makes the node look at the state, which it has or recomputes. */
  async get (node: Node, job: JobRecord): Promise<ModelState | undefined> {
    const name = toHex(job.stateHash)
    if (!this.#states.has(name)) await node.models.evaluate({ job, spec: job.spec, round: job.round, seal: job.seal, stateHash: job.stateHash, anchorHeight: job.sealAnchorHeight, pending: [] })
    return this.#states.get(name)
  }
}

export interface SideMinerOptions {
  readonly tab: Tab
  readonly states: StateTap
  /** Where to work now; undefined: nowhere. Asked before every slice. */
  readonly parent: () => BlockMeta | undefined
  /** Of the template; the median of the blocks before is the least. Default: the tab's clock. */
  readonly timeMs?: () => number
  /** Whose block it would be. Default: the tab's own key. */
  readonly seed?: () => Uint8Array
  /** Slices under one template; default: until it is old. */
  readonly slices?: number
  readonly won?: (block: Block, meta: BlockMeta) => void | Promise<void>
  /** A slice that may be a contribution. */
  readonly drawn?: (claim: Claim, result: SliceResult) => void | Promise<void>
}

export class SideMiner {
  readonly #o: SideMinerOptions
  readonly #next = new Map<string, number>()

  constructor (o: SideMinerOptions) { this.#o = o }

  /** Until its tab's page is gone. */
  start (): void { void this.#run() }

  async #run (): Promise<void> {
    const { tab } = this.#o
    const { session } = tab
    if (session?.node === undefined) throw new Error('a side miner needs a node that runs')
    await session.node.setMining({ on: false })
    while (tab.session === session && !session.life.dead) {
      if (!await this.#template(session.node)) await sleep(session.clock, RETRY_MS)
    }
  }

  /** Works under one template; false: there is nothing to do. */
  async #template (node: Node): Promise<boolean> {
    const { tab, states, parent: choose, timeMs, seed, slices } = this.#o
    const session = tab.session
    const parent = choose()
    if (parent === undefined || session === undefined || node.presence.mayWork() !== undefined) return false
    const { params } = tab.world
    const { clock, device } = session
    const key = seed?.() ?? tab.minerSeed
    const seals = parent === node.chain.head() ? node.rounds.pendingSeals(parent) : []
    const { template, body, job, ledger } = assembleBlock(params, parent, { transactions: [], seals, miner: nativeKeyOf(key).publicKey, payee: node.payee, timeMs: timeMs?.() ?? clock.now() })
    const state = await states.get(node, job)
    if (state === undefined) return false
    const builtAt = clock.now()
    const lasts = (done: number): boolean => slices === undefined ? clock.now() - builtAt < TEMPLATE_MS : done < slices
    // At least one slice, so that time goes on whatever is chosen next.
    for (let done = 0; done === 0 || (lasts(done) && choose() === parent && tab.session === session); done++) {
      const name = `${toHex(template.miner)}/${toHex(job.id)}/${job.round}`
      const slice = this.#next.get(name) ?? 0
      this.#next.set(name, slice + 1)
      const result = await device.runSlice(sliceTask(job.spec, template, slice, state, tab.world.data), 'slice')
      const unsigned: Claim = { template, slice, resultHash: result.stateHash, payloadDigest: result.payloadDigest, payloadBytes: result.payload.length, signature: new Uint8Array(SIGNATURE_BYTES) }
      const won = ticketWins(template.target, sliceCost(job.spec), ticket(unsigned))
      const drawn = this.#o.drawn !== undefined && eligible(params, randomnessBlock(params, parent), unsigned)
      if (!won && !drawn) continue
      const claim: Claim = { ...unsigned, signature: nativeKeyOf(key).sign(claimId(unsigned)) }
      if (drawn) await this.#o.drawn?.(claim, result)
      if (!won) continue
      await this.#o.won?.({ header: claim, body }, { ...extendHeader(parent, claim), parent, ledger })
      return true
    }
    return true
  }
}
