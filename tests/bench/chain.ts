/** Rules: how fast blocks and transactions are judged, their signatures included, replays not. */
import { applyBlock, blockSignatureItems } from '../../src/core/consensus/apply.ts'
import { account } from '../../src/core/ledger/state.ts'
import { createSignatures } from '../../src/compute/signatures.ts'
import { ChainKit, EASY, keyPair } from '../core/chainKit.ts'
import { type Measurement, summary, timed } from './measure.ts'

const TRANSACTIONS = 64

export async function benchChain (): Promise<Measurement[]> {
  const kit = new ChainKit()
  const rich = keyPair(1)
  const tip = kit.extend(kit.genesis, EASY.maturity + 4, [rich])
  const from = account(tip.ledger, rich.key)
  const transactions = Array.from({ length: TRANSACTIONS }, (_, i) => kit.transfer(tip, rich, keyPair(100 + i).key, 1_000n, { nonce: from.nonce + i }))
  const empty = kit.block(tip, { miner: rich })
  const full = kit.block(tip, { miner: rich, transactions })
  const results: Measurement[] = []
  for (const [way, subtle] of [['WebCrypto first', crypto.subtle], ['ZIP-215 rule alone', undefined]] as const) {
    const signatures = createSignatures(subtle)
    const judge = async (block: typeof empty): Promise<void> => {
      const checked = await signatures.verify(blockSignatureItems(kit.params, tip, block))
      const verdict = applyBlock(kit.params, tip, block, { nowMs: block.header.template.time, signatures: checked, seals: [], replay: { kind: 'done', resultHash: block.header.resultHash, payloadDigest: block.header.payloadDigest }, wrongContributions: new Set() })
      if (!verdict.ok) throw new Error(`${verdict.refusal.reason}: ${verdict.refusal.detail}`)
    }
    const blocks = (await timed(20, async () => judge(empty))).map((ms) => 1000 / ms)
    const txs = (await timed(10, async () => judge(full))).map((ms) => 1000 * TRANSACTIONS / ms)
    results.push({ ...summary(`empty blocks verified, ${way}`, 'blocks/s', blocks), min: Math.min(...blocks) })
    results.push(summary(`transfers verified, ${way}`, 'transactions/s', txs))
  }
  const [fastBlocks, fastTxs, slowBlocks, slowTxs] = results
  return [
    { ...fastBlocks, peer: slowBlocks.name, ratio: fastBlocks.median / slowBlocks.median },
    { ...fastTxs, peer: slowTxs.name, ratio: fastTxs.median / slowTxs.median },
    slowBlocks, slowTxs
  ]
}
