/**
 * The loop: mutate, run, keep what reached a new block of code or a new answer. All of a run follows
 * from its seed, so the one printed line brings back what it found.
 */
import { Mutator } from './mutate.ts'
import { Rng, seedOf } from './random.ts'
import { ACCEPTED, type Target } from './target.ts'

/** Blocks of code reached so far (tests/fuzz/instrument.ts counts them); without it, answers alone guide. */
export interface Coverage {
  readonly seen: Uint8Array
  /** Blocks in `seen` that are 1. */
  reached: number
}

export interface Watch {
  /** Called before every input. */
  note (input: Uint8Array): void
}

export interface RunOptions {
  readonly inputs: number
  readonly seed: number
  /** Run first, and then mutated like the seeds. */
  readonly corpus: readonly Uint8Array[]
  readonly coverage?: Coverage
  readonly watch?: Watch
  /** Wall time after which an answer is too late, ms. */
  readonly slowMs?: number
  /** The run ends here whatever is left, ms since the epoch. */
  readonly untilMs?: number
}

export interface Failure { readonly error: string, readonly input: string, readonly minimised: string }

export interface Report {
  readonly target: string
  readonly seed: number
  readonly inputs: number
  readonly seconds: number
  readonly accepted: number
  /** How often each reason was given. */
  readonly refused: Readonly<Record<string, number>>
  /** Blocks reached by seeds and corpus, and those that mutation added. */
  readonly blocks: number
  readonly newBlocks: number
  readonly failures: readonly Failure[]
  /** Inputs that reached something first. */
  readonly kept: readonly Uint8Array[]
}

const FAILURES_KEPT = 5
/** Inputs kept beside the seeds. */
const POOL_MAX = 512
/** The newest finds, which are mutated the most. */
const NEWEST = 4
/** One input in so many starts from a newly drawn value, where a target can draw one. */
const FRESH_EVERY = 32
const MINIMISE_TRIES = 4_000
const REASONS_MAX = 200
const SLOW_MS = 1_000

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const message = (e: unknown): string => e instanceof Error ? `${e.name}: ${e.message}` : String(e)

class TooSlow extends Error {}

/** One input; what comes out otherwise than as an answer is thrown. */
async function answer (target: Target, input: Uint8Array, slowMs: number): Promise<string> {
  const before = performance.now()
  const outcome = target.run(input)
  const reason = typeof outcome === 'string' ? outcome : await outcome
  if (performance.now() - before <= slowMs) return reason
  // The machine may have been busy: it is slow if it is so every time.
  for (let i = 0; i < 2; i++) {
    const again = performance.now()
    await target.run(input)
    if (performance.now() - again <= slowMs) return reason
  }
  throw new TooSlow(`no answer within ${slowMs} ms`)
}

/** The same error from fewer and plainer bytes. */
async function minimise (target: Target, input: Uint8Array, error: string, slowMs: number): Promise<Uint8Array> {
  const kind = error.slice(0, 40)
  let best = input
  let tries = 0
  const fails = async (candidate: Uint8Array): Promise<boolean> => {
    if (++tries > MINIMISE_TRIES) return false
    try {
      await answer(target, candidate, slowMs)
      return false
    } catch (e) { return message(e).slice(0, 40) === kind }
  }
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size <= best.length && tries <= MINIMISE_TRIES;) {
      const shorter = new Uint8Array(best.length - size)
      shorter.set(best.subarray(0, at))
      shorter.set(best.subarray(at + size), at)
      if (await fails(shorter)) best = shorter
      else at += size
    }
  }
  for (let at = 0; at < best.length && tries <= MINIMISE_TRIES; at++) {
    if (best[at] === 0) continue
    const plainer = best.slice()
    plainer[at] = 0
    if (await fails(plainer)) best = plainer
  }
  return best
}

export async function fuzz (target: Target, options: RunOptions): Promise<Report> {
  const { inputs, coverage, watch, slowMs = SLOW_MS, untilMs = Infinity } = options
  const rng = new Rng(seedOf(options.seed, target.name))
  const mutator = new Mutator(rng, target)
  const start = [...target.seeds(rng), ...options.corpus]
  const pool: Uint8Array[] = start.length > 0 ? [...start] : [new Uint8Array(0)]
  const kept: Uint8Array[] = []
  const refused = new Map<string, number>()
  const failures: Failure[] = []
  const failed = new Set<string>()
  let accepted = 0
  let done = 0
  let spare = 0

  const count = (reason: string): boolean => {
    if (reason === ACCEPTED) return accepted++ === 0
    const before = refused.get(reason)
    if (before === undefined && refused.size >= REASONS_MAX) return false
    refused.set(reason, (before ?? 0) + 1)
    return before === undefined
  }
  const find = async (input: Uint8Array, e: unknown): Promise<void> => {
    const error = message(e)
    if (failures.length >= FAILURES_KEPT || failed.has(error.slice(0, 40))) return
    failed.add(error.slice(0, 40))
    failures.push({ error, input: hex(input), minimised: hex(await minimise(target, input, error, slowMs)) })
  }
  const keep = (input: Uint8Array): void => {
    const copy = input.slice()
    kept.push(copy)
    if (pool.length < start.length + POOL_MAX) pool.push(copy)
    // The newest take turns beyond that: what came first has been mutated the most.
    else pool[start.length + spare++ % POOL_MAX] = copy
  }

  const next = (): Uint8Array => {
    if (target.fresh !== undefined && rng.below(target.freshEvery ?? FRESH_EVERY) === 0) {
      const drawn = target.fresh(rng)
      return (rng.u32() & 1) === 0 ? drawn : mutator.mutate(drawn, pool)
    }
    return mutator.mutate(base(), pool)
  }
  /** Half of the time one of the newest finds: the way goes on from there. */
  const base = (): Uint8Array =>
    kept.length > 0 && (rng.u32() & 1) === 0 ? kept[kept.length - 1 - rng.below(Math.min(kept.length, NEWEST))] : rng.pick(pool)

  if (coverage !== undefined) {
    coverage.seen.fill(0)
    coverage.reached = 0
  }
  const began = performance.now()
  for (const input of start) {
    watch?.note(input)
    done++
    try { if (count(await answer(target, input.slice(), slowMs))) kept.push(input) } catch (e) { await find(input, e) }
  }
  const blocks = coverage?.reached ?? 0
  while (done < inputs) {
    const input = next()
    watch?.note(input)
    const reached = coverage?.reached ?? 0
    done++
    let isNew = false
    try {
      const before = performance.now()
      const outcome = target.run(input)
      const reason = typeof outcome === 'string' ? outcome : await outcome
      isNew = count(reason)
      if (performance.now() - before > slowMs) await answer(target, input.slice(), slowMs)
    } catch (e) {
      await find(input.slice(), e)
      if (failures.length >= FAILURES_KEPT) break
      continue
    }
    if (isNew || (coverage !== undefined && coverage.reached > reached)) keep(input)
    if ((done & 0xf) === 0 && Date.now() > untilMs) break
  }
  return {
    target: target.name,
    seed: options.seed,
    inputs: done,
    seconds: (performance.now() - began) / 1000,
    accepted,
    refused: Object.fromEntries([...refused].sort((a, b) => b[1] - a[1])),
    blocks,
    newBlocks: (coverage?.reached ?? 0) - blocks,
    failures,
    kept
  }
}

/**
 * Of `inputs`, short ones first, those that reach a block or an answer that none before them did; of
 * these the ones that reach the most, within `count` and `bytes`, and one at least.
 */
export async function distil (target: Target, inputs: readonly Uint8Array[], coverage: Coverage, count: number, bytes = Infinity): Promise<Uint8Array[]> {
  const reasons = new Set<string>()
  const chosen: Array<{ readonly input: Uint8Array, readonly gain: number }> = []
  coverage.seen.fill(0)
  coverage.reached = 0
  for (const input of [...inputs].sort((a, b) => a.length - b.length)) {
    const reached = coverage.reached
    const reason = await target.run(input.slice())
    const gain = coverage.reached - reached + (reasons.has(reason) ? 0 : 1)
    reasons.add(reason)
    if (gain > 0) chosen.push({ input, gain })
  }
  const best: Uint8Array[] = []
  let left = bytes
  for (const { input } of chosen.sort((a, b) => b.gain - a.gain)) {
    if (best.length === count || (best.length > 0 && input.length > left)) continue
    best.push(input)
    left -= input.length
  }
  return best.sort((a, b) => a.length - b.length)
}
