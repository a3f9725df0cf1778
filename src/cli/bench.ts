/** `npm run bench`: every benchmark beside its peer, in one run, with the ratio. */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { benchAttacks } from '../../tests/bench/attacks.ts'
import { benchChain } from '../../tests/bench/chain.ts'
import { benchCompute } from '../../tests/bench/compute.ts'
import { benchGossip } from '../../tests/bench/gossip.ts'
import { benchJoin } from '../../tests/bench/join.ts'
import type { Measurement } from '../../tests/bench/measure.ts'
import { Misused, runCommand, say } from './arguments.ts'

const SUITES: Readonly<Record<string, () => Promise<Measurement[]>>> = { compute: benchCompute, chain: benchChain, gossip: benchGossip, join: benchJoin, attacks: benchAttacks }

const USAGE = `npm run bench -- [--only ${Object.keys(SUITES).join(',')}] [--json]

  --only NAMES  of these suites
  --json        the results as one line of JSON on stdout`

await runCommand(USAGE, async () => {
  const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } })
  if (values.help) { process.stdout.write(`${USAGE}\n`); return 0 }
  const chosen = values.only?.split(',') ?? Object.keys(SUITES)
  const unknown = chosen.filter(name => !Object.hasOwn(SUITES, name))
  if (unknown.length > 0) throw new Misused(`--only: there is no "${unknown.join('", "')}"; there are ${Object.keys(SUITES).join(', ')}`)

  const all: Array<Measurement & { suite: string }> = []
  for (const name of chosen) {
    say(`${name} ...`)
    for (const m of await SUITES[name]()) {
      all.push({ suite: name, ...m })
      const peer = m.ratio === undefined ? '' : `  ${m.ratio.toFixed(2)} x ${m.peer ?? ''}`
      say(`  ${m.name.padEnd(52)} ${m.median.toPrecision(4).padStart(10)} ${m.unit} (min ${m.min.toPrecision(4)}, ${m.runs} runs)${peer}`)
    }
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ node: process.version, cores: cpus().length, results: all })}\n`)
  return 0
})
// Some of the peers keep timers.
process.exit()
