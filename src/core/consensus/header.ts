/** The rules of a header that need neither body nor slow facts, cheapest first. */
import { equalBytes } from '../codec/ssz.ts'
import type { Claim } from '../codec/wire.ts'
import { claimId, ticket } from '../crypto/ids.ts'
import { benchmarkJob, findJob } from '../ledger/state.ts'
import { type ChainParams, MAX_SLICE_COST, PROTOCOL_VERSION } from '../params.ts'
import { sliceCost } from '../training/cost.ts'
import { payloadSize } from '../training/payload.ts'
import { type BlockMeta, chainId, type HeaderMeta, nextRho } from './chain.ts'
import { drawAt, randomnessBlock, randomnessFor } from './draw.ts'
import { invalid, type Refusal, refusal } from './refusal.ts'
import { blockWork, nextTarget, ticketWins } from './target.ts'

/** What can be said of a header by its ancestors' headers alone; the ticket only roughly. */
function linkRefusal (params: ChainParams, parent: HeaderMeta, claim: Claim): Refusal | undefined {
  const t = claim.template
  if (t.version !== PROTOCOL_VERSION) return invalid('header-version', `version ${t.version}, this is ${PROTOCOL_VERSION}`)
  if (!equalBytes(t.chain, chainId(parent))) return invalid('header-chain', 'of another network')
  if (!equalBytes(t.parent, parent.hash)) return invalid('header-parent', 'names another parent')
  if (t.height !== parent.height + 1) return invalid('header-height', `height ${t.height} on ${parent.height}`)
  if (!Number.isSafeInteger(t.time)) return invalid('header-time-range', 'time is beyond 2^53 ms')
  const before = parent.header.template.time
  if (t.time <= before) return invalid('header-time-old', `time ${t.time}, the parent's is ${before}`)
  const target = nextTarget(params, parent)
  if (t.target !== target) return invalid('header-target', `target ${t.target}, must be ${target}`)
  if (!equalBytes(t.randomness, randomnessFor(params, parent))) return invalid('header-randomness', `not the rho of ${params.rhoDelay} blocks before the parent`)
  return undefined
}

const futureRefusal = (params: ChainParams, claim: Claim, nowMs: number): Refusal | undefined =>
  claim.template.time > nowMs + params.futureMs
    ? refusal('future', 'header-time-future', `${claim.template.time - nowMs} ms ahead, at most ${params.futureMs}`)
    : undefined

/** For a header whose parent's body is not known yet: the dearest slice there is stands in for its job. */
export function checkHeaderLink (params: ChainParams, parent: HeaderMeta, claim: Claim, nowMs: number): Refusal | undefined {
  const link = linkRefusal(params, parent, claim)
  if (link !== undefined) return link
  if (!ticketWins(claim.template.target, MAX_SLICE_COST, ticket(claim))) return invalid('header-ticket', 'the ticket wins for no slice')
  return futureRefusal(params, claim, nowMs)
}

/** Everything that needs neither the block's body nor its replay. */
export function checkHeader (params: ChainParams, parent: BlockMeta, claim: Claim, nowMs: number): Refusal | undefined {
  const link = linkRefusal(params, parent, claim)
  if (link !== undefined) return link
  const t = claim.template
  // The body may end the drawn job, which makes the benchmark the right one: applyBlock decides.
  const drawn = drawAt(randomnessBlock(params, parent), t.miner)
  const benchmark = benchmarkJob(parent.ledger)
  const job = equalBytes(t.job, benchmark.id) ? benchmark : equalBytes(t.job, drawn) ? findJob(parent.ledger, drawn) : undefined
  if (job === undefined || (job.status !== 'active' && job !== benchmark)) return invalid('header-job', 'not the job this key draws')
  const size = payloadSize(job.spec)
  if (claim.payloadBytes !== size) return invalid('header-payload-size', `${claim.payloadBytes} bytes, a payload has ${size}`)
  if (!ticketWins(t.target, sliceCost(job.spec), ticket(claim))) return invalid('header-ticket', 'the ticket is not below the target')
  return futureRefusal(params, claim, nowMs)
}

/** A header on its parent, as the rules about ancestors see it. Checks nothing. */
export function extendHeader (parent: HeaderMeta, claim: Claim): HeaderMeta {
  const t = ticket(claim)
  return {
    hash: claimId(claim),
    header: claim,
    height: claim.template.height,
    work: parent.work + blockWork(claim.template.target),
    rho: nextRho(parent.rho, t),
    ticket: t,
    parent
  }
}

/** Appends the batch to headers that stand on `fork`; stops at the first one that those before it contradict. */
export function appendHeaders (params: ChainParams, headers: HeaderMeta[], fork: HeaderMeta, batch: readonly Claim[], nowMs: number): Refusal | undefined {
  for (const claim of batch) {
    const parent = headers.at(-1) ?? fork
    const wrong = checkHeaderLink(params, parent, claim, nowMs)
    if (wrong !== undefined) return wrong
    headers.push(extendHeader(parent, claim))
  }
  return undefined
}
