/** The work of a block, redone for a person who wants to see it done. */
import type { ReplayView } from '../bridge/api.ts'
import { equalBytes, toHex } from '../core/codec/ssz.ts'
import type { Claim } from '../core/codec/wire.ts'
import { ticket } from '../core/crypto/ids.ts'
import { findJob } from '../core/ledger/state.ts'
import type { Backfill } from './backfill.ts'
import type { BlockRecord } from './parts.ts'
import type { Replays } from './replay.ts'

/**
 * What is shown is the slice. A block taken on trust is on trust until what it has sealed is redone as well, by the
 * one that does so in the background.
 */
export async function redoneView (d: { readonly replays: Pick<Replays, 'replayAfresh'>, readonly backfill: Pick<Backfill, 'redo'> }, record: BlockRecord, backend: ReplayView['backend']): Promise<ReplayView> {
  const claim: Claim = record.meta.header
  const spec = findJob(record.meta.ledger, claim.template.job)!.spec
  const claimed = { hash: toHex(record.meta.hash), claimedResult: toHex(claim.resultHash), claimedPayload: toHex(claim.payloadDigest), backend, steps: spec.stepsPerSlice }
  const done = await d.replays.replayAfresh(claim, spec)
  if (done.kind === 'unavailable') return { ...claimed, ok: false, elapsedMs: 0, reason: done.detail }
  const isRight = equalBytes(done.resultHash, claim.resultHash) && equalBytes(done.payloadDigest, claim.payloadDigest)
  const isRefuted = record.checked === 'ledger' && await d.backfill.redo(record) === 'wrong'
  return {
    ...claimed,
    ok: isRight && !isRefuted,
    computedResult: toHex(done.resultHash),
    computedPayload: toHex(done.payloadDigest),
    ticket: toHex(ticket({ ...claim, resultHash: done.resultHash, payloadDigest: done.payloadDigest })),
    elapsedMs: done.elapsedMs,
    reason: !isRight ? 'the work redone here ends in other bits than the block claims' : isRefuted ? 'its slice is right, and what it has sealed is not' : undefined
  }
}
