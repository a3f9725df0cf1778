/** `npm run fuzz`: every reader of bytes and text of strangers, with inputs guided by the blocks of code they reach. */
import { parseArgs } from 'node:util'
import { Misused, number, runCommand } from '../../src/cli/arguments.ts'
import { CORPUS_INPUT_BYTES_MAX, CORPUS_INPUTS_MAX, CORPUS_TARGET_BYTES_MAX, loadCorpus, saveCorpus } from './corpus.ts'
import { distil, fuzz, type Report } from './engine.ts'
import { startCoverage } from './instrument.ts'
import { startWatchdog } from './watchdog.ts'

const USAGE = `npm run fuzz -- [--target NAME] [--inputs 20000] [--seed S] [--minutes M] [--keep] [--json]

  --target NAME  that target, or those whose name contains it; all if left out
  --inputs N     inputs for each target (1..1000000000); slow ones get fewer
  --seed S       a whole number: brings the same inputs again. Random if left out
  --minutes M    ends the whole run after this time
  --keep         renews tests/fuzz/corpus from what was found
  --json         a line of JSON for each target on stdout

Exit code 1 if an input made a target fail; the lines that repeat it are printed.`

const HANG_MS = 30_000

await runCommand(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      target: { type: 'string', default: '' },
      inputs: { type: 'string', default: '20000' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const seed = number('seed', values.seed, 0, 2 ** 32 - 1, true) ?? Math.floor(Math.random() * 2 ** 32)
  const inputs = number('inputs', values.inputs, 1, 1e9, true)!
  const minutes = number('minutes', values.minutes, 0.01, 100_000, false)
  const untilMs = minutes === undefined ? Infinity : Date.now() + minutes * 60_000
  const say = (line: string): void => { if (!values.json) process.stdout.write(`${line}\n`) }

  const coverage = startCoverage()
  // After the hooks: what is imported now is counted.
  const { TARGETS } = await import('./targets.ts')
  const exact = TARGETS.filter(target => target.name === values.target)
  const chosen = exact.length > 0 ? exact : TARGETS.filter(target => target.name.includes(values.target))
  if (chosen.length === 0) throw new Misused(`--target: none is named like "${values.target}"; there are ${TARGETS.map(target => target.name).join(', ')}`)

  say(`seed ${seed}, ${inputs} inputs for each of ${chosen.length} targets`)
  // A refusal that is thrown and caught inside a decoder needs no stack: it would take most of the time.
  Error.stackTraceLimit = 0
  let failures = 0
  for (const target of chosen) {
    const label = `${target.name}, seed ${seed}`
    const { watch, stop } = startWatchdog(label, HANG_MS)
    // Whatever ends the run, the watchdog must not outlive it and call it a hang.
    const report = await fuzz(target, { inputs: Math.ceil(inputs / (target.slowness ?? 1)), seed, corpus: loadCorpus(target.name), coverage, watch, untilMs }).finally(stop)
    if (values.keep && report.failures.length === 0) {
      const candidates = [...loadCorpus(target.name), ...report.kept].filter(input => input.length <= CORPUS_INPUT_BYTES_MAX)
      saveCorpus(target.name, await distil(target, candidates, coverage, CORPUS_INPUTS_MAX, CORPUS_TARGET_BYTES_MAX))
    }
    failures += report.failures.length
    if (values.json) process.stdout.write(`${JSON.stringify(withoutKept(report))}\n`)
    else print(report, say)
    if (Date.now() > untilMs) break
  }
  return failures === 0 ? 0 : 1
})

function withoutKept ({ kept, ...rest }: Report): object { return { ...rest, kept: kept.length } }

function print (r: Report, say: (line: string) => void): void {
  const reasons = Object.entries(r.refused).slice(0, 8).map(([reason, n]) => `${reason} ${n}`).join(', ')
  say(`${r.target}: ${r.inputs} inputs, ${Math.round(r.inputs / r.seconds)}/s, ${r.accepted} accepted, refused: ${reasons || 'none'}; ${r.blocks} blocks + ${r.newBlocks} new, ${r.kept.length} kept${r.failures.length === 0 ? '' : `, ${r.failures.length} FAILED`}`)
  for (const f of r.failures) say(`  ${f.error}\n    input ${f.input}\n    minimised ${f.minimised}\n    again: npm run fuzz -- --target ${r.target} --seed ${r.seed} --inputs ${r.inputs}`)
}
