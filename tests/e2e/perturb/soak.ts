/**
 * `npm run soak:tabs`: real tabs are killed, frozen, reloaded, cut off and starved at random from a
 * seed, act after act; after each act they must agree, and a power cut ends it. Ends with a summary and a
 * verdict; exit code 1 if anything was lost, 2 if fewer were killed than was asked.
 */
import { parseArgs } from 'node:util'
import { buildPage } from '../../../scripts/build.mjs'
import { ensureChromium } from '../../../scripts/ensure-chromium.mjs'
import { Misused, number, runCommand, say, seedOf } from '../../../src/cli/arguments.ts'
import { type Figures, World } from './world.ts'
import { planOf } from './plan.ts'

const USAGE = `npm run soak:tabs -- [--kills 1000] [--tabs 4] [--seed S] [--minutes M] [--json]

  --kills N    tabs killed in all (1..100000)
  --tabs N     tabs, two to a profile (2..12, even)
  --seed S     1 to 64 letters, digits or . / - _: gives the same actions, tabs and pauses again
  --minutes M  ends after this time even if fewer were killed: with exit code 2
  --json       end with one line of JSON on stdout

Exit code 1 if anything was lost, 2 if fewer were killed than was asked or it was called wrongly.`

/**
 * Kills between two agreements, those while a tab comes back aside. Tabs that die every few seconds hardly meet: profiles
 * that were apart for more blocks than are kept after a reload would not come together again (docs/security.md, section 7).
 */
const ACT_KILLS = 40
const PROGRESS_MS = 15_000

interface Options { readonly kills: number, readonly tabs: number, readonly seed: string, readonly minutes: number, readonly json: boolean }

/** Undefined where only help was wanted. */
function options (): Options | undefined {
  const { values } = parseArgs({
    options: { kills: { type: 'string', default: '1000' }, tabs: { type: 'string', default: '4' }, seed: { type: 'string' }, minutes: { type: 'string', default: '600' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } }
  })
  if (values.help) { process.stdout.write(`${USAGE}\n`); return undefined }
  const tabs = number('tabs', values.tabs, 2, 12, true)!
  if (tabs % 2 !== 0) throw new Misused(`--tabs: expected an even number, got ${tabs}`)
  return { kills: number('kills', values.kills, 1, 100_000, true)!, tabs, seed: seedOf(values.seed), minutes: number('minutes', values.minutes, 1, 10_000, true)!, json: values.json }
}

/** Of a list of times, ms: below which this share of them lies. */
function percentile (times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function summary (o: Options, world: World, f: Figures, seconds: number): object {
  return {
    seed: o.seed,
    tabs: o.tabs,
    seconds: Math.round(seconds),
    kills: world.kills,
    killsByKind: f.kills,
    killsAtCommit: f.atCommit,
    ...f.others,
    blocks: world.oracle.blocks.size - 1,
    height: world.oracle.top,
    blocksChecked: f.blocksChecked,
    notYetOpened: f.notYetOpened,
    blocksInFlight: f.inFlight,
    creditsChecked: f.creditsChecked,
    transfersSent: f.transactionsSent,
    transfersChecked: f.transactionsChecked,
    transfersGivenUp: f.transactionsGivenUp,
    slicesChecked: f.slicesChecked,
    duplicateSlices: f.duplicateSlices,
    returns: f.returns,
    returnsBeforePeers: f.returns - f.returnsHeard,
    upMsP50: percentile(f.backMs, 0.5),
    upMsP95: percentile(f.backMs, 0.95),
    workingMsP50: percentile(f.workingMs, 0.5),
    workingMsP95: percentile(f.workingMs, 0.95),
    losses: world.failures,
    ok: world.failures.length === 0 && world.kills >= o.kills
  }
}

await runCommand(USAGE, async () => {
  const o = options()
  if (o === undefined) return 0
  say(`seed ${o.seed}: ${o.kills} kills of ${o.tabs} tabs`)
  await buildPage()
  await ensureChromium()
  const world = await World.open(o.tabs / 2, 2)
  const began = Date.now()
  const deadline = began + o.minutes * 60_000
  const seconds = (): number => (Date.now() - began) / 1000
  const line = (): void => {
    const f = world.figures
    say(`${seconds().toFixed(0).padStart(5)} s  ${world.kills} kills (${f.atCommit} at a commit), block ${world.oracle.top}, ${f.blocksChecked} blocks and ${f.creditsChecked} accounts checked, ${f.inFlight} in flight, up after ${percentile(f.backMs, 0.5)} ms, ${world.failures.length} losses`)
  }
  const progress = setInterval(line, PROGRESS_MS)
  try {
    const lanes = world.profiles.map((_, lane) => planOf(o.seed, lane, 2))
    for (let act = 1; world.kills < o.kills && Date.now() < deadline && world.failures.length === 0; act++) {
      // Each profile's share is its own affair, so that neither's sequence depends on the other's pace.
      const share = Math.min(ACT_KILLS, o.kills - world.kills) / lanes.length
      await Promise.all(lanes.map(async plan => {
        for (let killed = 0; killed < share && Date.now() < deadline && world.failures.length === 0;) {
          const step = plan.next().value
          await world.act(step)
          if (step.action.kind === 'kill') killed += step.action.tabs.length
        }
      }))
      if (world.failures.length > 0) break
      await world.powerCut(`power cut after act ${act}`)
      await world.heal(`agreement after act ${act}`)
    }
  } finally {
    clearInterval(progress)
    await world.close()
  }
  line()
  const result = summary(o, world, world.figures, seconds())
  if (o.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else say(JSON.stringify(result, undefined, 2))
  for (const f of world.failures) say(`seed ${o.seed}, ${f.step}: loss of ${f.what}: ${f.detail}`)
  const short = world.kills < o.kills
  const verdict = world.failures.length > 0 ? `NOT OK: ${world.failures.length} losses` : short ? `SHORT: the ${o.minutes} minutes were over before all ${o.kills} kills; nothing was lost` : 'ok: nothing was lost'
  say(`${verdict} in ${world.kills} kills of ${o.tabs} tabs; again with: npm run soak:tabs -- --seed ${o.seed} --kills ${o.kills} --tabs ${o.tabs}`)
  return world.failures.length > 0 ? 1 : short ? 2 : 0
})
