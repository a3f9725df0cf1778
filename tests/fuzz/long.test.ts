/**
 * Long inputs of one word of the format over and over: what reads them in the square of their length
 * takes minutes, and would freeze a page. Fuzzed inputs are short, so this is looked for by itself.
 */
import { describe, expect, it } from 'vitest'
import { Rng } from './random.ts'
import type { Target } from './target.ts'
import { TARGETS } from './targets.ts'

const BYTES = 64 * 1024
/** Of processor time. In step with the length it takes some milliseconds, a second where every line of a table is hashed. */
const MS_MAX = 2_500

const READERS = TARGETS.filter(({ name }) => /^(text|file|net)\/|^training\/zero-runs$/.test(name))

function repeated (word: Uint8Array, head: Uint8Array): Uint8Array {
  const out = new Uint8Array(BYTES)
  out.set(head)
  for (let at = head.length; at < BYTES; at += word.length) out.set(word.subarray(0, BYTES - at), at)
  return out
}

/** Milliseconds of processor time: other processes do not count. */
async function timeOf (target: Target, input: Uint8Array): Promise<number> {
  const before = process.cpuUsage()
  await target.run(input)
  return process.cpuUsage(before).user / 1000
}

describe('64 KiB of one word are read in no time', () => {
  it.each(READERS)('$name', async target => {
    const seeds = target.seeds(new Rng(1))
    const words = [...target.dictionary ?? [], ...seeds].filter(word => word.length > 0)
    for (const [i, word] of words.entries()) {
      // By itself, or after the first half of a good input: what it opens is then not closed.
      const head = seeds[0].subarray(0, i % 2 === 0 ? 0 : seeds[0].length >> 1)
      const ms = await timeOf(target, repeated(word, head))
      if (ms > MS_MAX) expect.fail(`${Math.round(ms)} ms for ${JSON.stringify(new TextDecoder().decode(word.subarray(0, 60)))} after ${head.length} bytes of a good input`)
    }
  })
})
