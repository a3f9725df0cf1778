/** How likely a count is, so that a checker can say how rarely it would be wrong. */

/** P(X = k): by logarithms, for e^-mean alone is nothing from a mean of 745 on. */
function poisson (k: number, mean: number): number {
  let log = -mean
  for (let i = 1; i <= k; i++) log += Math.log(mean / i)
  return Math.exp(log)
}

/** P(X <= k) and P(X >= k) of a Poisson variable; each summed from k outwards, away from the mean, so that small ones keep their digits. */
export function poissonAtMost (k: number, mean: number): number {
  if (k >= mean) return 1 - poissonAtLeast(k + 1, mean)
  let sum = 0
  for (let i = k, term = poisson(k, mean); i >= 0; term *= i-- / mean) sum += term
  return sum
}

export function poissonAtLeast (k: number, mean: number): number {
  if (k <= mean) return 1 - poissonAtMost(k - 1, mean)
  let sum = 0
  for (let i = k, term = poisson(k, mean); term > sum * 1e-16; term *= mean / ++i) sum += term
  return sum
}
