/** How likely a count is, so that a checker can say how rarely it would be wrong. */

/** P(X <= k) and P(X >= k) of a Poisson variable. */
export function poissonAtMost (k: number, mean: number): number {
  let term = Math.exp(-mean)
  let sum = term
  for (let i = 1; i <= k; i++) sum += term *= mean / i
  return Math.min(1, sum)
}

export function poissonAtLeast (k: number, mean: number): number {
  // Summed from its own side: what is left of 1 would be lost in rounding.
  let term = Math.exp(-mean)
  for (let i = 1; i <= k; i++) term *= mean / i
  let sum = 0
  for (let i = k; term > 0 && (i < mean || term > sum * 1e-12); term *= mean / ++i) sum += term
  return Math.min(1, sum)
}
