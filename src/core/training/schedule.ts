/** The learning rate of a round: a function of the round alone (EXACT 9). */
import { SCHEDULE_CONSTANT, type JobSpec } from '../codec/jobSpec.ts'

/** A linear schedule ends at this fraction of where it started. */
const FINAL_DIVISOR = 20

/**
 * LR20 for slices that start from S_round, round 0..rounds-1. The linear schedule falls from lr20
 * to lr20/20 at the last round, rounded down, never below 1.
 * Bound: 65535 * 20 * 100,000 < 2^38, exact.
 */
export function lr20At (spec: Pick<JobSpec, 'lr20' | 'schedule' | 'rounds'>, round: number): number {
  const last = spec.rounds - 1
  if (spec.schedule === SCHEDULE_CONSTANT || last <= 0) return spec.lr20
  const r = Math.min(round, last)
  const whole = FINAL_DIVISOR * last
  return Math.max(1, Math.floor(spec.lr20 * (whole - (FINAL_DIVISOR - 1) * r) / whole))
}
