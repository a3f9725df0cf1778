/** Every grain is somewhere: docs/protocol.md, section 10, asked of any ledger, a node's or the auditor's. */
import { type Hex, hexOf } from './bytes.ts'
import type { Flow } from './ledger.ts'
import { setAsideSum, type Snapshot, sumOfBalances } from './ledgerRoot.ts'
import { type AuditParams, scheduleUpTo } from './numbers.ts'
import type { Finding } from './violations.ts'

/** `flows`: what went into every job and came out of it, by the blocks. */
export function moneyFindings (p: AuditParams, s: Snapshot, flows: ReadonlyMap<Hex, Flow>): Finding[] {
  const found: Finding[] = []
  const unripe = s.maturing.reduce((sum, m) => sum + m.amount, 0n)
  const escrow = s.jobs.reduce((sum, j) => sum + j.escrowLeft, 0n)
  const held = sumOfBalances(s) + unripe + escrow + setAsideSum(s) + s.burned
  if (held !== s.issued) found.push(['supply-sum', `balances ${sumOfBalances(s)} + unripe ${unripe} + escrow ${escrow} + set aside ${setAsideSum(s)} + burned ${s.burned} = ${held}, issued ${s.issued}`])
  const most = scheduleUpTo(p, s.height)
  if (s.issued > most) found.push(['supply-schedule', `issued ${s.issued} by block ${s.height}, at most ${most}`])
  const left = new Map(s.jobs.map(j => [hexOf(j.id), j.escrowLeft]))
  for (const [job, flow] of flows) {
    const out = flow.paid + flow.refunded + flow.burned
    if (flow.in !== out + (left.get(job) ?? 0n)) found.push(['escrow', `${job}: ${flow.in} in, ${flow.paid} paid + ${flow.refunded} refunded + ${flow.burned} burned, ${left.get(job) ?? 0n} held`])
  }
  return found
}
