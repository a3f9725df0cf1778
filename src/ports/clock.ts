/** Time and randomness as arguments: nothing in `node` reads a global clock. */
export interface Clock {
  /** Unix time, ms. */
  now(): number
  /** Calls `fn` once after `ms`; the returned function cancels it. */
  after(ms: number, fn: () => void): () => void
}

export interface Random {
  /** `n` unpredictable bytes. */
  bytes(n: number): Uint8Array
}
