/**
 * `npm test`: everything, in the order in which a failure is cheapest to learn. Every phase runs
 * even after one has failed (but for the packages, without which nothing runs), and the last line
 * is `N passed, N failed`. A test that was skipped counts as failed: nothing here may be optional.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { buildPage } from './build.mjs'
import { ensureChromium } from './ensure-chromium.mjs'
import { ensureDeps } from './ensure-deps.mjs'
import { ensureWasm } from './ensure-wasm.mjs'
import { ROOT } from './lock.mjs'
import { Failure, runMain, runNode, say } from './process.mjs'

const bin = (...path) => join(ROOT, 'node_modules', ...path)
const REPORTS = join(ROOT, 'build', 'test-reports')

const filters = process.argv.slice(2)
const total = { passed: 0, failed: 0 }
const lines = []
/** What failed, said once more under the counts: a log is often read by its end alone. */
const failures = []
const FAILURES_SAID = 8

function record (name, passed, failed, startedMs) {
  total.passed += passed
  total.failed += failed
  lines.push(`  ${failed === 0 ? 'ok  ' : 'FAIL'}  ${name}: ${passed} passed, ${failed} failed (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`)
}

/** A phase that is right or wrong as a whole. */
async function phase (name, work) {
  say(`--- ${name}`)
  const started = Date.now()
  try {
    await work()
    record(name, 1, 0, started)
    return true
  } catch (error) {
    say(error instanceof Failure ? error.message : String(error?.stack ?? error))
    record(name, 0, 1, started)
    return false
  }
}

async function exitZero (args) {
  const code = await runNode(args, { cwd: ROOT })
  if (code !== 0) throw new Failure(`exit code ${code}`)
}

/** The file, the name and the first words of each test of a vitest report that failed. */
function failuresOf (result) {
  return result.testResults.flatMap(file => {
    const tests = file.assertionResults.filter(test => test.status === 'failed')
      .map(test => `${test.fullName}: ${firstWords(test.failureMessages.join(' '))}`)
    if (file.status === 'failed' && file.assertionResults.length === 0) tests.push(firstWords(file.message ?? 'did not load'))
    return tests.map(test => `${relative(ROOT, file.name)}: ${test}`)
  })
}

const firstWords = text => stripVTControlCharacters(text).replace(/\s+/g, ' ').slice(0, 240)

/** The counts of a vitest run, from its own report; what it does not count is counted here. */
async function tests (name, config) {
  say(`--- ${name}`)
  const started = Date.now()
  const report = join(REPORTS, `${name}.json`)
  rmSync(report, { force: true })
  const code = await runNode([
    bin('vitest', 'vitest.mjs'), 'run', '--config', config,
    '--reporter=default', '--reporter=json', `--outputFile.json=${report}`,
    ...(filters.length > 0 ? ['--passWithNoTests', ...filters] : [])
  ], { cwd: ROOT, env: { ...process.env, NODE_ENV: 'test' } })
  let passed = 0
  let failed = 0
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'))
    passed = result.numPassedTests
    failed = result.numFailedTests + result.numPendingTests + result.numTodoTests
    // A file that did not load has no tests to fail.
    failed += result.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0).length
    failures.push(...failuresOf(result))
    if (result.numPendingTests > 0) say(`${result.numPendingTests} tests were skipped, which counts as failed`)
  } catch (error) {
    say(`${name}: no report (${error.message})`)
  }
  if (failed === 0 && (code !== 0 || (passed === 0 && filters.length === 0))) failed = 1
  record(name, passed, failed, started)
}

const USAGE = `npm test                       everything: types, unit tests, the page, tests in Chromium
npm test -- tests/storage      only the test files whose path contains one of the words
`

await runMain(async () => {
  if (filters.includes('--help')) { process.stdout.write(USAGE); return 0 }
  await ensureDeps()
  mkdirSync(REPORTS, { recursive: true })
  const started = Date.now()
  await phase('wasm kernels', ensureWasm)
  await phase('types', () => exitZero([bin('typescript', 'bin', 'tsc'), '--noEmit']))
  await phase('types of core, without DOM or Node', () => exitZero([bin('typescript', 'bin', 'tsc'), '-p', 'src/core/tsconfig.json', '--noEmit']))
  await tests('unit', 'vitest.config.ts')
  await phase('page build', buildPage)
  if (await phase('chromium', ensureChromium)) await tests('browser', 'tests/browser.config.ts')
  const said = failures.slice(0, FAILURES_SAID).map(failure => `  ${failure}\n`)
  if (failures.length > FAILURES_SAID) said.push(`  and ${failures.length - FAILURES_SAID} more\n`)
  process.stdout.write(`\n${said.join('')}${lines.join('\n')}\n  ${((Date.now() - started) / 60_000).toFixed(1)} minutes\n${total.passed} passed, ${total.failed} failed\n`)
  return total.failed === 0 ? 0 : 1
})
