/** The fuzzer finds what is planted, makes it small, and finds it again by its seed. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'
import { describe, expect, it } from 'vitest'
import type { Node } from '../tidy/source.ts'
import { type Coverage, distil, fuzz } from './engine.ts'
import { instrumented } from './instrument.ts'
import { Mutator } from './mutate.ts'
import { Rng } from './random.ts'
import { ACCEPTED, type Target } from './target.ts'

const target = (run: Target['run'], over: Partial<Target> = {}): Target => ({ name: 'planted', max: 64, covers: [], seeds: () => [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)], run, ...over })

/** Code with marks, as the hooks load it, and the coverage that they count in. */
function marked (code: string): { readonly coverage: Coverage, readonly run: (input: Uint8Array) => string } {
  const seen = new Uint8Array(1 << 16)
  const coverage: Coverage & { mark: (block: number) => void } = { seen, reached: 0, mark: block => { seen[block] = 1; coverage.reached++ } }
  const text = instrumented(code, parseSync('planted.js', code).program as unknown as Node).replace('globalThis.__fuzzCoverage', 'coverage')
  const run = new Function('coverage', `${text}; return run`)(coverage) as (input: Uint8Array) => string
  return { coverage, run }
}

describe('a planted bug', () => {
  const planted = target(input => {
    if (input.length > 2 && input[2] > 200) throw new TypeError('planted')
    return input.length > 4 ? ACCEPTED : 'short'
  })

  it('is found, made small, and found again by the same seed', async () => {
    const report = await fuzz(planted, { inputs: 5_000, seed: 7, corpus: [] })
    expect(report.failures).toHaveLength(1)
    const [{ error, minimised }] = report.failures
    expect(error).toBe('TypeError: planted')
    expect(minimised).toMatch(/^0000(c[9a-f]|[d-f].)$/)
    expect(report.accepted).toBeGreaterThan(0)
    expect(report.refused.short).toBeGreaterThan(0)
    const again = await fuzz(planted, { inputs: 5_000, seed: 7, corpus: [] })
    expect({ ...again, seconds: 0 }).toEqual({ ...report, seconds: 0 })
    expect(await fuzz(planted, { inputs: 5_000, seed: 8, corpus: [] })).not.toMatchObject({ failures: report.failures })
  })

  it('is found in what is awaited, too', async () => {
    const report = await fuzz(target(async input => { if (input[0] === 9) throw new Error('later'); return ACCEPTED }), { inputs: 5_000, seed: 1, corpus: [Uint8Array.of(9)] })
    expect(report.failures.map(f => [f.error, f.minimised])).toEqual([['Error: later', '09']])
  })

  it('is an answer that takes too long, every time', async () => {
    const slow = target(input => { if (input[0] === 9) for (const end = performance.now() + 12; performance.now() < end;); return ACCEPTED })
    const report = await fuzz(slow, { inputs: 3, seed: 1, corpus: [Uint8Array.of(9, 1)], slowMs: 4 })
    expect(report.failures.map(f => f.error)).toEqual(['Error: no answer within 4 ms'])
  })

  it('is a loop without end: the process is stopped, and says what it was doing', () => {
    const watchdog = new URL('./watchdog.ts', import.meta.url).href
    const program = `import(${JSON.stringify(watchdog)}).then(({ startWatchdog }) => { const { watch } = startWatchdog('planted, seed 5', 700); setTimeout(() => { watch.note(Uint8Array.of(0xab, 0xcd)); for (;;); }, 300) })`
    const run = spawnSync(process.execPath, ['--import', fileURLToPath(new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url)), '-e', program], { encoding: 'utf8', timeout: 25_000 })
    expect(run.signal).toBe('SIGKILL')
    expect(run.stderr).toContain('planted, seed 5: no answer for 700 ms to input abcd')
  })
})

describe('coverage', () => {
  it('marks every branch, and changes nothing', () => {
    const code = `
      const small = n => n < 3
      function word (n) { switch (n) { case 0: return 'none'; case 1: case 2: return 'few'; default: return n > 9 && n % 2 === 0 ? 'even' : 'many' } }
      class Counter { constructor (n) { this.n = n } get next () { return this.n ?? 7 } static of (n) { return new Counter(n) } }
      export const run = input => {
        let out = ''
        for (const n of input) if (small(n)) out += word(n); else { try { if (n === 5) throw new Error('five'); out += word(n) } catch { out += '!' } }
        for (let i = 0; i < 2; i++) out += Counter.of(i === 0 ? undefined : i).next
        do out += '.'; while (out.length < 4 || (out.length & 1) === 0)
        return out
      }`.replace('export ', '')
    const plain = new Function(`${code}; return run`)() as (input: Uint8Array) => string
    const { coverage, run } = marked(code)
    const inputs = [[], [0], [1, 2], [5], [12], [11], [255, 5, 0]].map(b => Uint8Array.from(b))
    const reached = inputs.map(input => {
      expect(run(input)).toBe(plain(input))
      return coverage.reached
    })
    // Each of the first six goes somewhere new, the last one nowhere.
    for (let i = 1; i < 6; i++) expect(reached[i]).toBeGreaterThan(reached[i - 1])
    expect(reached[6]).toBe(reached[5])
    run(Uint8Array.of(0))
    expect(coverage.reached).toBe(reached[6])
  })

  it('finds what lies behind five comparisons, where chance alone does not', async () => {
    const { coverage, run } = marked('const run = b => { if (b[0] === 77) { if (b[1] === 201) { if (b[2] === 13) { if (b[3] === 99) { if (b[4] === 154) throw new Error("deep") } } } } return "accepted" }')
    const deep = target(run)
    const guided = await fuzz(deep, { inputs: 200_000, seed: 3, corpus: [], coverage })
    expect(guided.failures.map(f => f.minimised)).toEqual(['4dc90d639a'])
    expect(guided.newBlocks).toBeGreaterThanOrEqual(4)
    const blind = await fuzz(deep, { inputs: guided.inputs, seed: 3, corpus: [] })
    expect(blind.failures).toEqual([])
  })

  it('keeps the fewest inputs that reach as much', async () => {
    const { coverage, run } = marked('const run = b => b.length > 3 ? b[0] > 9 ? "big" : "small" : "short"')
    const inputs = [[1], [2], [1, 1, 1, 1], [99, 1, 1, 1], [98, 1, 1, 1, 1]].map(b => Uint8Array.from(b))
    expect(await distil(target(run), inputs, coverage, 32)).toEqual([[1], [1, 1, 1, 1], [99, 1, 1, 1]].map(b => Uint8Array.from(b)))
    expect(await distil(target(run), inputs, coverage, 1)).toHaveLength(1)
  })
})

describe('mutations', () => {
  it('stay within the bound, differ, and use the words of the format', () => {
    const rng = new Rng(5)
    const token = Uint8Array.from(Buffer.from('token'))
    const mutator = new Mutator(rng, { max: 20, dictionary: [token] })
    const pool = [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), new Uint8Array(0), new Uint8Array(64)]
    const seen = new Set<string>()
    for (let i = 0; i < 5_000; i++) {
      const input = mutator.mutate(rng.pick(pool), pool)
      expect(input.length).toBeLessThanOrEqual(20)
      seen.add(Buffer.from(input).toString('latin1'))
    }
    expect(seen.size).toBeGreaterThan(2_500)
    expect([...seen].some(text => text.includes('token'))).toBe(true)
    expect(pool[0]).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
  })
})
