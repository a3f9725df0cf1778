/** Timing of one thing, several times, in one process: medians, because machines are noisy. */
export interface Measurement {
  readonly name: string
  readonly unit: string
  readonly median: number
  readonly min: number
  readonly runs: number
  /** What it is compared with, and how many times better than that it is (medians). */
  readonly peer?: string
  readonly ratio?: number
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

export const summary = (name: string, unit: string, values: readonly number[]): Measurement =>
  ({ name, unit, median: median(values), min: Math.min(...values), runs: values.length })

/** Milliseconds of each of `runs` calls, after one that is not counted. */
export async function timed (runs: number, work: () => unknown): Promise<number[]> {
  await work()
  const ms: number[] = []
  for (let i = 0; i < runs; i++) {
    const at = performance.now()
    await work()
    ms.push(performance.now() - at)
  }
  return ms
}
