/**
 * The lottery: how low a ticket must be, and what a block weighs.
 * Source of the retarget: zawy12, "WTEMA", a weighted-target exponential moving average.
 */
import type { ChainParams } from '../params.ts'
import { bytesToNumberBE, type HeaderMeta } from './chain.ts'

const TICKET_MAX = (1n << 256n) - 1n

/** Target of the block on top of `parent`, from ancestors only. */
export function nextTarget (params: ChainParams, parent: HeaderMeta): bigint {
  // Genesis has no time, so the first interval that says anything lies between blocks 1 and 2.
  if (parent.height < 2 || parent.parent === undefined) return params.genesisTarget
  const interval = params.blockIntervalMs
  const window = params.retargetWindow
  const elapsed = parent.header.template.time - parent.parent.header.template.time
  const solveTime = Math.min((window + 1) * interval, elapsed)
  const span = BigInt(window * interval)
  const next = parent.header.template.target * (span + BigInt(solveTime - interval)) / span
  return next < 1n ? 1n : next > params.maxTarget ? params.maxTarget : next
}

/** A slice of `cost` units wins with this bound: cost times the chance of one unit. */
export function ticketBound (target: bigint, cost: number): bigint {
  const bound = target * BigInt(cost)
  return bound > TICKET_MAX ? TICKET_MAX : bound
}

export const ticketWins = (target: bigint, cost: number, ticket: Uint8Array): boolean =>
  bytesToNumberBE(ticket) < ticketBound(target, cost)

/** Cost units a block under `target` is expected to have taken. */
export const blockWork = (target: bigint): bigint => (1n << 256n) / target
