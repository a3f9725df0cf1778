/**
 * A small real chain with everything in it that a ledger can hold: transfers, pots, a job that waits, one
 * that trains, one that was cancelled, seals; and honest blocks on its tip for the rules to judge.
 */
import { equalBytes } from '../../src/core/codec/ssz.ts'
import type { Block, Claim } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { drawAt, eligible, randomnessBlock } from '../../src/core/consensus/draw.ts'
import { benchmarkJob, type JobRecord, type LedgerState } from '../../src/core/ledger/state.ts'
import { ChainKit, EASY, keyPair, type KeyPair } from '../core/chainKit.ts'

export interface SampleChain {
  readonly kit: ChainKit
  readonly tip: BlockMeta
  /** Valid on `tip`. */
  readonly blocks: readonly Block[]
  readonly ledgers: readonly LedgerState[]
}

const [ann, bob, cy] = [keyPair(1), keyPair(2), keyPair(3)]

let made: SampleChain | undefined

export function sampleChain (): SampleChain {
  made ??= make()
  return made
}

function make (): SampleChain {
  const kit = new ChainKit(EASY)
  const ledgers: LedgerState[] = [kit.genesis.ledger]
  let tip = kit.grown()
  ledgers.push(tip.ledger)
  const mine = (o: Parameters<ChainKit['mine']>[1]): void => {
    tip = kit.mine(tip, o).meta
    ledgers.push(tip.ledger)
  }
  mine({ transactions: [kit.post(tip, ann, { escrow: 5_000n, price: 1_000n }), kit.transfer(tip, bob, cy.key, 12_345n)] })
  // The committee attests that it holds the data: the job is active.
  const posted = tip.ledger.jobs[1]
  mine({ seals: [kit.seal(tip, posted, [])] })
  mine({ transactions: [kit.post(tip, bob)] })
  mine({ transactions: [kit.cancel(tip, bob, tip.ledger.jobs[2].id)] })
  mine({ transactions: [kit.setAside(tip, ann, 90_000n), kit.setAside(tip, cy, 9_000n)] })
  const epoch = Math.floor(tip.height / EASY.epochBlocks)
  tip = kit.extend(kit.endOfEpoch(tip), 1)
  mine({ transactions: [kit.redeem(tip, bob, epoch, [kit.receipt(ann, bob.key, epoch, 5_000_000)]), kit.setAside(tip, ann, 7_000n)] })
  mine({ transactions: [kit.post(tip, cy, { burn: 700_000n })] })
  const benchmark = benchmarkJob(tip.ledger)
  const active = tip.ledger.jobs[1]
  const contributions = (job: JobRecord): Claim[] => workers(tip, job.id).slice(0, 3).flatMap(miner => {
    const claim = kit.contribution(tip, job, miner)
    return eligible(kit.params, randomnessBlock(kit.params, tip), claim) ? [claim] : []
  })
  const blocks = [
    kit.block(tip),
    kit.block(tip, { transactions: [kit.transfer(tip, ann, bob.key, 5n), kit.transfer(tip, bob, cy.key, 7n)] }),
    kit.block(tip, { transactions: [kit.setAside(tip, bob, 2_000n), kit.redeem(tip, cy, epoch, [kit.receipt(ann, cy.key, epoch, 8_000_000)])] }),
    kit.block(tip, { transactions: [kit.redeem(tip, bob, epoch, [kit.receipt(cy, bob.key, epoch, 3_000_000), kit.receipt(ann, bob.key, epoch, 9_000_000)])] }),
    kit.block(tip, { transactions: [kit.post(tip, bob, { escrow: 3_000n, price: 1_500n }), kit.cancel(tip, ann, active.id)] }),
    kit.block(tip, { seals: [kit.seal(tip, benchmark, contributions(benchmark))] }),
    kit.block(tip, { seals: [kit.seal(tip, active, contributions(active)), kit.seal(tip, tip.ledger.jobs[3], [])] })
  ]
  return { kit, tip, blocks, ledgers }
}

/** Keys that draw this job at the newest randomness. */
function workers (tip: BlockMeta, job: Uint8Array): KeyPair[] {
  const q = randomnessBlock(EASY, tip)
  return Array.from({ length: 40 }, (_, i) => keyPair(i + 1)).filter(pair => equalBytes(drawAt(q, pair.key), job))
}
