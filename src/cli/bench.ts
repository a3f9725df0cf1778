/** `npm run bench`: every benchmark beside its peer, in one run, with the ratio. */
import { parseArgs } from 'node:util'
import { benchAttacks } from '../../tests/bench/attacks.ts'
import { benchChain } from '../../tests/bench/chain.ts'
import { benchCompute } from '../../tests/bench/compute.ts'
import { benchGossip } from '../../tests/bench/gossip.ts'
import { benchJoin } from '../../tests/bench/join.ts'
import type { Measurement } from '../../tests/bench/measure.ts'

const SUITES: Readonly<Record<string, () => Promise<Measurement[]>>> = { compute: benchCompute, chain: benchChain, gossip: benchGossip, join: benchJoin, attacks: benchAttacks }

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean', default: false } } })
const chosen = values.only?.split(',') ?? Object.keys(SUITES)
const unknown = chosen.filter((name) => SUITES[name] === undefined)
if (unknown.length > 0) {
  process.stderr.write(`--only: unknown ${unknown.join(', ')}; there are ${Object.keys(SUITES).join(', ')}\n`)
  process.exit(2)
}

const all: Array<Measurement & { suite: string }> = []
for (const name of chosen) {
  process.stderr.write(`${name} ...\n`)
  for (const m of await SUITES[name]()) {
    all.push({ suite: name, ...m })
    const peer = m.ratio === undefined ? '' : `  ${m.ratio.toFixed(2)} x ${m.peer ?? ''}`
    process.stderr.write(`  ${m.name.padEnd(52)} ${m.median.toPrecision(4).padStart(10)} ${m.unit} (min ${m.min.toPrecision(4)}, ${m.runs} runs)${peer}\n`)
  }
}
if (values.json) process.stdout.write(`${JSON.stringify({ node: process.version, cores: (await import('node:os')).cpus().length, results: all })}\n`)
process.exit(0)
