/** What a restart goes on from: the newest stored ledger that is deep enough, and the headers around it. */
import { toHex } from '../core/codec/ssz.ts'
import type { applyBlock, BlockRules } from '../core/consensus/apply.ts'
import type { BlockMeta } from '../core/consensus/chain.ts'
import { ticket } from '../core/crypto/ids.ts'
import { ledgerRoot } from '../core/ledger/state.ts'
import type { ChainParams } from '../core/params.ts'
import type { Hex } from './parts.ts'
import { type ChainStore, type Settled, SNAPSHOT_BLOCKS, type StoredBlock } from './persist.ts'
import { treeNode, type TreeNode } from './tree.ts'

type Applied = ReturnType<typeof applyBlock>

export interface BaseWanted {
  readonly genesis: BlockMeta
  /** Blocks before it that the rules look back at. */
  readonly metas: number
  /** Newest height it may have. */
  readonly wanted: number
  /** Below it no block was ever here. */
  readonly least: number
  /** Of the stored chain. */
  readonly top: number
  /** Hashes of the chain that was followed, where they are known. */
  readonly branch: ReadonlyMap<number, Hex>
}

/**
 * The block to build on first; undefined: the genesis block. A snapshot on a side branch would keep
 * this node on that branch for ever.
 */
export async function loadBase (store: Pick<ChainStore, 'snapshots' | 'header' | 'body'>, { genesis, metas, wanted, least, top, branch }: BaseWanted): Promise<TreeNode | undefined> {
  if (wanted === 0) return undefined
  const first = branch.get(1)
  for await (const s of store.snapshots(wanted)) {
    // The chain is hardly longer than what is kept: newer ones are for where its beginning is not here any more.
    if (s.height > wanted && least === 0 && first !== undefined && await store.body(1, first) !== undefined) return undefined
    if (s.height > top || s.height < least || (branch.get(s.height) ?? s.hash) !== s.hash) continue
    const stored = await store.header(s.height, s.hash)
    if (stored === undefined || s.ledger.height !== s.height || toHex(ledgerRoot(s.ledger)) !== toHex(stored.header.template.stateRoot)) continue
    const ledgers = [s.ledger, ...s.before]
    const chain: BlockMeta[] = []
    let at = s.height
    let key = s.hash
    for (; at > 0 && chain.length <= metas; at--) {
      const h = await store.header(at, key)
      if (h === undefined) break
      chain.push({ hash: h.hash, header: h.header, height: at, work: h.work, rho: h.rho, ticket: ticket(h.header), ledger: ledgers[s.height - at] ?? genesis.ledger })
      key = toHex(h.header.template.parent)
    }
    if (at > 0 && chain.length <= metas) continue
    let parent: BlockMeta | undefined = at === 0 ? genesis : undefined
    for (const m of chain.reverse()) parent = { ...m, parent }
    return treeNode({ meta: parent!, body: undefined, events: [], checked: stored.checked })
  }
  return undefined
}

/** What a stored block leads to, or what is wrong with it. Its signatures and its work were looked at when it came. */
export function reapply (rules: BlockRules, params: ChainParams, parent: BlockMeta, { stored: { header, hash }, body }: Extract<StoredBlock, { ok: true }>, wrongContributions: ReadonlySet<Hex>): Extract<Applied, { ok: true }> | string {
  const block = { header, body }
  const applied = rules.applyBlock(params, parent, block, {
    // A clock set back since does not make a stored block wrong.
    nowMs: header.template.time,
    signatures: rules.blockSignatureItems(params, parent, block).map(() => true),
    replay: { kind: 'skipped' },
    seals: body.seals.map(() => ({ kind: 'skipped' })),
    wrongContributions
  })
  if (!applied.ok) return `${applied.refusal.reason}: ${applied.refusal.detail}`
  return toHex(applied.meta.hash) === toHex(hash) ? applied : 'hash mismatch'
}

/** Indexes the main chain below the base as far as no earlier run did. */
export async function settleBelow (store: Pick<ChainStore, 'settledHash' | 'header' | 'settle'>, base: BlockMeta): Promise<void> {
  const blocks: Settled[] = []
  let hash = base.header.template.parent
  for (let height = base.height - 1; height > 0; height--) {
    if (await store.settledHash(height) !== undefined) break
    const stored = await store.header(height, toHex(hash))
    if (stored === undefined) break
    blocks.push({ height, hash })
    hash = stored.header.template.parent
  }
  for (let i = 0; i < blocks.length; i += SNAPSHOT_BLOCKS) store.settle(blocks.slice(i, i + SNAPSHOT_BLOCKS))
}
