/** Which refusals say that whoever passed something on must have known better. */
import type { ReasonCode, Refusal } from '../core/consensus/refusal.ts'

/**
 * Rules whose answer depends on where the checker stands: a job that ended in a block the other has
 * not seen, a contribution that only this node has proved wrong.
 */
const DEPENDS_ON_CHECKER: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['contribution-draw', 'contribution-wrong'])

export const isProof = (r: Refusal): boolean => r.verdict === 'invalid' && !DEPENDS_ON_CHECKER.has(r.reason)
