/** Who asks wrongly is told so in a sentence, at once: before anything is built, run or lost. */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileToWrite, Misused, writeReport } from '../../src/cli/arguments.ts'
import { soakCommand } from '../simulation/soak.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A program as scripts/run.mjs starts it. */
async function run (program: string, args: readonly string[]): Promise<{ readonly code: number | null, readonly words: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr.on('data', (part: Buffer) => { words += part.toString() })
  const code = await new Promise<number | null>((resolve, reject) => { child.on('close', resolve); child.on('error', reject) })
  return { code, words }
}

test('npm start builds nothing for who asked for what is not there', async () => {
  const { code, words } = await run('scripts/start.mjs', ['--port', 'abc'])
  expect(words).toBe('--port: a whole number from 0 to 65535, not "abc"\ntry --help\n')
  expect(code).toBe(1)
}, 60_000)

describe('exit code 2, one sentence, and how to see all options', () => {
  test.each([
    ['src/cli/sim.ts', ['--scenario', 'selfish', '--nodes', '50'], '--nodes means nothing for the scenario selfish, which takes --seed'],
    ['src/cli/sim.ts', ['--scenario', 'forks', '--attackers', '0.1'], '--attackers means nothing for the scenario forks, which takes --seed, --hours'],
    ['src/cli/sim.ts', ['--nodes', '5', '--report', '/nowhere/report.html'], '--report: /nowhere/report.html cannot be written: '],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'duplicates=0.2'], '--set: there is nothing of the name "duplicates" to set'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'nodes=5'], '--set: use --nodes for nodes'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'loss=2'], '--set: loss: expected a number from 0 to 0.9, got "2"'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'roundMs=0'], '--set: roundMs: expected a number from 100 to 1000000000, got "0"'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'skewMs=1e999'], '--set: skewMs: expected a number from 0 to 1000000000, got "1e999"'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'loss=0.1=0.2'], '--set: expected NAME=VALUE, got "loss=0.1=0.2"'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'loss=0.1', '--set', 'duplicate=0.1,loss=0.2'], '--set: loss twice'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'livenessMs=0'], '--set: livenessMs: expected a number from 1 to 1000000000, got "0"'],
    ['src/cli/sim.ts', ['--nodes', '5', '--set', 'crashEveryMs=0.00001'], '--set: crashEveryMs: expected 0 or a number from 100 to 1000000000, got "0.00001"'],
    ['src/cli/sim.ts', ['--nodes', '4', '--attackers', '0.1', '--enemies', 'sybil'], '--attackers: 0.1 of 4 tabs is none: expected 0 or at least 0.125'],
    ['src/cli/sim.ts', ['--nodes', '5', '--attackers', '0', '--enemies', 'sybil'], '--enemies means nothing with --attackers 0'],
    ['tests/simulation/plants/run.ts', ['--only', 'nope'], '--only: there is no planted bug "nope"; there are rho-forgets, '],
    ['src/cli/sim.ts', ['--nodes', '5', '--report', ''], '--report: expected the name of a file'],
    ['src/cli/sim.ts', ['--scenario', 'toString'], '--scenario: there is no "toString"; there are '],
    ['src/cli/soak.ts', ['--worlds', '1', '--report', '/nowhere/report.html'], '--report: /nowhere/report.html cannot be written: '],
    ['src/cli/soak.ts', ['--nodes', '4', '--attackers', '0.1'], '--attackers: 0.1 of 4 tabs is none'],
    // Its worlds have longer seeds, which sim has to take.
    ['src/cli/soak.ts', ['--seed', 's'.repeat(49)], '--seed: expected 1 to 48 letters'],
    ['tests/simulation/plants/run.ts', ['--seed', 's'.repeat(49)], '--seed: expected 1 to 48 letters'],
    ['src/cli/demo.ts', ['--miners', '0'], '--miners: expected a whole number from 1 to 8, got "0"'],
    ['src/cli/demo.ts', ['--leechers', '2'], '--leechers means nothing without --scenario seed'],
    ['src/cli/demo.ts', ['--data', '/nowhere'], '--data: /nowhere cannot be read '],
    ['src/cli/interop.ts', ['--size', 'large'], '--size: expected a number from 0.1 to 4000, got "large"'],
    ['src/cli/bench.ts', ['--only', 'nope'], '--only: there is no "nope"; there are '],
    ['tests/e2e/joinBench.ts', ['--blocks', '1'], '--blocks: expected a whole number from 300 to 20000, got "1"'],
    ['tests/e2e/perturb/soak.ts', ['--tabs', '3'], '--tabs: expected an even number, got 3'],
    ['tests/bench/gpu/run.ts', ['--models', 'all'], '--models: expected a whole number from 1 to 1000000, got "all"'],
    ['tests/bench/gpu/run.ts', ['--model', '5'], "Unknown option '--model'"]
  ])('%s %s', async (program, args, sentence) => {
    const { code, words } = await run(program, args)
    expect(words.startsWith(sentence), words).toBe(true)
    expect(words).toMatch(/\nall options: npm run [\w:]+ -- --help\n$/)
    expect(words).not.toContain('    at ')
    expect(code).toBe(2)
  }, 60_000)
})

describe('a file that will be written', () => {
  let folder: string
  beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'commonweight-misuse-')) })
  afterAll(async () => { await rm(folder, { recursive: true, force: true }) })

  test('is tried, and not left behind', async () => {
    expect(await fileToWrite('report', join(folder, 'new.html'))).toBe(join(folder, 'new.html'))
    expect(await readdir(folder)).toEqual([])
    expect(await fileToWrite('report', undefined)).toBeUndefined()
    await expect(fileToWrite('report', folder)).rejects.toThrow(Misused)
  })

  test('and cannot be at the end is named in one sentence', async () => {
    await expect(writeReport(folder, '<p>')).rejects.toThrow(`the report could not be written to ${folder}: EISDIR`)
  })
})

test('the line that goes on with a soak has all that its worlds were drawn with', () => {
  expect(soakCommand({ seed: 's', args: ['--nodes', '40', '--hours', '0.2'] }, 12, 88)).toBe('npm run soak -- --seed s --first 12 --worlds 88 --nodes 40 --hours 0.2')
})
