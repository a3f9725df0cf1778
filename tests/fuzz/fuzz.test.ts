/**
 * Every target on its whole corpus, and for a moment on new inputs; `npm run fuzz` goes on from here.
 * The seed is another one each time, and is in the name of the test that fails.
 */
import { describe, expect, it } from 'vitest'
import { loadCorpus } from './corpus.ts'
import { fuzz } from './engine.ts'
import { TARGETS } from './targets.ts'

const SEED = Math.floor(Math.random() * 2 ** 32)
/** Of new inputs, for one target. */
const MS = 40
const INPUTS = 2_000
/** Other tests may have the machine. */
const SLOW_MS = 10_000

describe(`seed ${SEED}`, () => {
  it.each(TARGETS)('$name', async target => {
    const corpus = loadCorpus(target.name)
    expect(corpus.length).toBeGreaterThan(0)
    const report = await fuzz(target, { inputs: INPUTS, seed: SEED, corpus, slowMs: SLOW_MS, untilMs: Date.now() + MS })
    expect(report.failures).toEqual([])
    expect(report.inputs).toBeGreaterThanOrEqual(corpus.length)
    expect(report.accepted).toBeGreaterThan(0)
  })
})
