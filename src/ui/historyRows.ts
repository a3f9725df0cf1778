/** Lines of the wallet's history as rows: a miner gets many of one kind with one block, and reads them as one. */
import type { HistoryEntry } from '../bridge/api.ts'
import { count, plural } from './format.ts'

export interface HistoryRow {
  /** The same after every new reading. */
  readonly id: string
  /** At least one, all of one block and one kind. */
  readonly parts: readonly HistoryEntry[]
  readonly amount: bigint
}

type Grouped = Extract<HistoryEntry['kind'], 'contribution' | 'contribution-subsidy' | 'seeding-pay'>

/** What comes in parts: how many of them is called, and why they came. */
const MANY: Readonly<Record<Grouped, { readonly label: (n: number) => string, readonly why: (n: number) => string }>> = {
  contribution: { label: n => `${count(n)} paid slices`, why: n => `${count(n)} slices you trained were sealed; the owners of their jobs pay you.` },
  'contribution-subsidy': { label: n => `${count(n)} training shares`, why: n => `${count(n)} slices you trained were sealed; your share of the block's issuance for sealed work.` },
  'seeding-pay': { label: n => `Seeding pay, ${plural(n, 'part')}`, why: n => `${count(n)} receipts for files that you sent were redeemed; this is your pay, out of what their signers had set aside.` }
}
const isGrouped = (kind: HistoryEntry['kind']): kind is Grouped => kind in MANY

/** In the order of the first line of each. `cut`: there are older lines, so that those of the last block may be a part of them. */
export function historyRows (entries: readonly HistoryEntry[], cut: boolean): HistoryRow[] {
  const rows = new Map<string, HistoryEntry[]>()
  const last = cut && entries[0]?.height !== entries.at(-1)?.height ? entries.at(-1)?.height : undefined
  for (const e of entries) {
    if (e.height === last) continue
    const id = isGrouped(e.kind) ? `${e.height}/${e.block ?? ''}/${e.kind}` : e.id
    const parts = rows.get(id)
    if (parts === undefined) rows.set(id, [e])
    else parts.push(e)
  }
  return [...rows].map(([id, parts]) => ({ id, parts, amount: parts.reduce((sum, e) => sum + e.amount, 0n) }))
}

/** Undefined where a row is a single line, which has words of its own. */
export function rowWords ({ parts }: HistoryRow): { readonly label: string, readonly why: string } | undefined {
  const { kind, height } = parts[0]!
  if (parts.length === 1 || !isGrouped(kind)) return undefined
  return { label: MANY[kind].label(parts.length), why: `Block ${count(height)}: ${MANY[kind].why(parts.length)}` }
}
