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

/** P(X >= k) of a binomial variable, summed upwards from k. */
export function binomialAtLeast (k: number, n: number, p: number): number {
  if (k <= 0 || p >= 1) return k <= n ? 1 : 0
  if (k > n || p <= 0) return 0
  let log = k * Math.log(p) + (n - k) * Math.log1p(-p)
  for (let i = 1; i <= k; i++) log += Math.log((n - k + i) / i)
  let sum = 0
  for (let i = k, term = Math.exp(log); i <= n; term *= (n - i) / (i + 1) * p / (1 - p), i++) sum += term
  return Math.min(1, sum)
}
