/**
 * `npm run fuzz -- [--target NAME] [--inputs N] [--seed S] [--minutes M] [--keep] [--json]`
 *
 * Fuzzes every target, or the one of that NAME, or those whose name contains it, with N inputs each
 * (slow ones with fewer), guided by the blocks of code they reach. The seed that is printed first
 * brings the same inputs again. --keep renews tests/fuzz/corpus from what was found; --minutes ends
 * the whole run early.
 */
import { parseArgs } from 'node:util'
import { CORPUS_INPUT_BYTES_MAX, CORPUS_INPUTS_MAX, CORPUS_TARGET_BYTES_MAX, loadCorpus, saveCorpus } from './corpus.ts'
import { distil, fuzz, type Report } from './engine.ts'
import { startCoverage } from './instrument.ts'
import { startWatchdog } from './watchdog.ts'

const HANG_MS = 30_000

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: '' },
    inputs: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false }
  }
})
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed)
const inputs = Number(values.inputs)
const untilMs = values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60_000
const say = (line: string): void => { if (!values.json) process.stdout.write(`${line}\n`) }

const coverage = startCoverage()
// After the hooks: what is imported now is counted.
const { TARGETS } = await import('./targets.ts')
const exact = TARGETS.filter(target => target.name === values.target)
const chosen = exact.length > 0 ? exact : TARGETS.filter(target => target.name.includes(values.target))
if (chosen.length === 0) {
  process.stderr.write(`no target is named like ${values.target}; there are ${TARGETS.map(target => target.name).join(', ')}\n`)
  process.exit(2)
}

say(`seed ${seed}, ${inputs} inputs for each of ${chosen.length} targets`)
// A refusal that is thrown and caught inside a decoder needs no stack: it would take most of the time.
Error.stackTraceLimit = 0
let failures = 0
for (const target of chosen) {
  const label = `${target.name}, seed ${seed}`
  const { watch, stop } = startWatchdog(label, HANG_MS)
  const report = await fuzz(target, { inputs: Math.ceil(inputs / (target.slowness ?? 1)), seed, corpus: loadCorpus(target.name), coverage, watch, untilMs })
  if (values.keep && report.failures.length === 0) {
    const candidates = [...loadCorpus(target.name), ...report.kept].filter(input => input.length <= CORPUS_INPUT_BYTES_MAX)
    saveCorpus(target.name, await distil(target, candidates, coverage, CORPUS_INPUTS_MAX, CORPUS_TARGET_BYTES_MAX))
  }
  await stop()
  failures += report.failures.length
  if (values.json) process.stdout.write(`${JSON.stringify(withoutKept(report))}\n`)
  else print(report)
  if (Date.now() > untilMs) break
}
process.exitCode = failures === 0 ? 0 : 1

function withoutKept ({ kept, ...rest }: Report): object { return { ...rest, kept: kept.length } }

function print (r: Report): void {
  const reasons = Object.entries(r.refused).slice(0, 8).map(([reason, n]) => `${reason} ${n}`).join(', ')
  say(`${r.target}: ${r.inputs} inputs, ${Math.round(r.inputs / r.seconds)}/s, ${r.accepted} accepted, refused: ${reasons || 'none'}; ${r.blocks} blocks + ${r.newBlocks} new, ${r.kept.length} kept${r.failures.length === 0 ? '' : `, ${r.failures.length} FAILED`}`)
  for (const f of r.failures) say(`  ${f.error}\n    input ${f.input}\n    minimised ${f.minimised}\n    again: npm run fuzz -- --target ${r.target} --seed ${r.seed} --inputs ${r.inputs}`)
}
