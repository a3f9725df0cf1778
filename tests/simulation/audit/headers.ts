/** The rules of a header on its parent: docs/protocol.md, sections 5 to 7. All that it breaks, not the first alone. */
import { type Hex, hexOf, numberBE } from './bytes.ts'
import { ancestorAt, drawingHeight, drawnJob } from './draws.ts'
import type { Job } from './ledger.ts'
import { costOf, payloadBytesOf } from './model.ts'
import { type AuditParams, VERSION } from './numbers.ts'
import type { Entry } from './tree.ts'
import type { Finding } from './violations.ts'
import type { Claim } from './wire.ts'

const most = (x: bigint, y: bigint): bigint => x > y ? x : y
const least = (x: bigint, y: bigint): bigint => x < y ? x : y

/** WTEMA over the time that the parent took. */
export function targetOn (p: AuditParams, parent: Entry): bigint {
  if (parent.height < 2) return p.genesisTarget
  const T = BigInt(p.blockIntervalMs)
  const N = BigInt(p.retargetWindow)
  const took = BigInt(parent.header.template.time - parent.parent!.header.template.time)
  const s = least(took, (N + 1n) * T)
  return least(most(parent.header.template.target * (N * T + s - T) / (N * T), 1n), p.maxTarget)
}

export const workOf = (target: bigint): bigint => target === 0n ? 0n : 2n ** 256n / target

export const ticketWins = (target: bigint, cost: number, ticket: Uint8Array): boolean =>
  numberBE(ticket) < least(target * BigInt(cost), 2n ** 256n - 1n)

/** The job a block's work was for; undefined where it may not be that. */
function jobOf (p: AuditParams, parent: Entry, { template }: Claim): Job | undefined {
  const id = hexOf(template.job)
  const { benchmark } = parent.ledger
  if (id === benchmark.id) return benchmark
  const job = parent.ledger.job(id)
  const q = ancestorAt(parent, drawingHeight(p, parent.height + 1))!
  return job?.status === 'active' && drawnJob(q, template.miner) === id ? job : undefined
}

export function headerFindings (p: AuditParams, chain: Hex, parent: Entry, claim: Claim, ticket: Uint8Array): Finding[] {
  const { template: t } = claim
  const found: Finding[] = []
  const must = (ok: boolean, ...finding: Finding): void => { if (!ok) found.push(finding) }
  must(t.version === VERSION, 'header-version', `version ${t.version}`)
  must(hexOf(t.chain) === chain, 'header-chain', hexOf(t.chain))
  must(t.height === parent.height + 1, 'header-height', `height ${t.height} on ${parent.height}`)
  must(t.time <= Number.MAX_SAFE_INTEGER, 'header-time-range', `time ${t.time}`)
  must(t.time > parent.header.template.time, 'header-time-old', `time ${t.time}, that of its parent is ${parent.header.template.time}`)
  const target = targetOn(p, parent)
  must(t.target === target, 'header-target', `target ${t.target}, must be ${target}`)
  const q = ancestorAt(parent, drawingHeight(p, parent.height + 1))!
  must(hexOf(t.randomness) === hexOf(q.rho), 'header-randomness', `not the rho of block ${q.height}`)
  const job = jobOf(p, parent, claim)
  must(job !== undefined, 'header-job', `job ${hexOf(t.job)}`)
  if (job === undefined) return found
  must(claim.payloadBytes === payloadBytesOf(job.spec), 'header-payload-size', `${claim.payloadBytes} bytes, a payload has ${payloadBytesOf(job.spec)}`)
  must(ticketWins(t.target, costOf(job.spec), ticket), 'header-ticket', `ticket ${hexOf(ticket)} for a slice of ${costOf(job.spec)}`)
  return found
}
