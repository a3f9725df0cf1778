/** Who may work on what and who may sign: docs/protocol.md, section 6, walked block by block. */
import { firstU32, H, type Hex, hexOf, u32 } from './bytes.ts'
import { type AuditParams, JOB_DRAW_CAP, MAX_CONTRIBUTION_SLICES, MAX_CONTRIBUTIONS, OFFER_WHOLE } from './numbers.ts'
import type { Entry } from './tree.ts'
import type { Claim } from './wire.ts'

/** Height of the block that draws for a template at height h. */
export const drawingHeight = (p: AuditParams, h: number): number => Math.max(0, h - 1 - p.rhoDelay)

export function ancestorAt (entry: Entry, height: number): Entry | undefined {
  for (let e: Entry | undefined = entry; e !== undefined; e = e.parent) if (e.height === height) return e
  return undefined
}

export const isOn = (tip: Entry, entry: Entry): boolean => ancestorAt(tip, entry.height) === entry

/** The job that a key draws at block q. */
export function drawnJob (q: Entry, miner: Uint8Array): Hex {
  const active = q.ledger.jobs.filter(job => job.status === 'active').sort((x, y) => x.id < y.id ? -1 : 1)
  const W = active.reduce((sum, job) => sum + job.burn, 0n)
  const u = BigInt(firstU32(H('draw', q.rho, miner)))
  let sum = 0n
  for (const job of active) {
    const share = job.burn * 2n ** 32n / W
    const cap = BigInt(JOB_DRAW_CAP) * 2n ** 24n
    sum += share < cap ? share : cap
    if (u < sum) return job.id
  }
  return q.ledger.benchmark.id
}

const miners = new WeakMap<Entry, Map<number, Hex[]>>()

/** Keys of the miners of the last `count` blocks up to and with `tip`, genesis aside, each once, ascending. */
function minersUpTo (tip: Entry, count: number): Hex[] {
  const known = miners.get(tip)?.get(count)
  if (known !== undefined) return known
  const keys = new Set<Hex>()
  for (let e: Entry | undefined = tip, i = 0; e !== undefined && e.height > 0 && i < count; e = e.parent, i++) keys.add(hexOf(e.header.template.miner))
  const sorted = [...keys].sort()
  miners.set(tip, (miners.get(tip) ?? new Map<number, Hex[]>()).set(count, sorted))
  return sorted
}

export function isEligible (p: AuditParams, q: Entry, { template, slice }: Claim): boolean {
  const share = q.ledger.job(hexOf(template.job))?.offerShare ?? OFFER_WHOLE
  const n = Math.max(1, minersUpTo(q, p.minerCountBlocks).length)
  const x = firstU32(H('eligible', q.rho, template.job, u32(template.round), template.miner, u32(slice)))
  return slice < MAX_CONTRIBUTION_SLICES && BigInt(x) * BigInt(n) * BigInt(MAX_CONTRIBUTION_SLICES) < BigInt(MAX_CONTRIBUTIONS) * 2n ** 16n * BigInt(share)
}

export const committeeOf = (p: AuditParams, anchor: Entry): Hex[] => anchor.height < p.committeeBlocks ? [] : minersUpTo(anchor, p.committeeBlocks)
export const quorumOf = (members: number): number => Math.floor(2 * members / 3) + 1
